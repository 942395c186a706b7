//! Innocent habits that look like an intruder's, played live.
