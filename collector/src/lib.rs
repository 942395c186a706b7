//! Where events arrive: what is known of late, and who asks for it.
//!
//! Knows events and reports, not how they came about: the sensor embeds it, and so may anybody else.
#![forbid(unsafe_code)]
