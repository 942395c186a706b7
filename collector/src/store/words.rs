//! The closed lists and names of sensors as small numbers, by a list that each file carries.
//!
//! So that a file can be read after words were added to the lists of this program, or moved in them.

use std::collections::HashMap;

use classifiers::{Cause, Effect, Impact, Origin, Role, Stage};
use rusqlite::Connection;

use super::incoming::Unreadable;

/// The words of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    origins: Vec<Option<Origin>>,
    causes: Vec<Option<Cause>>,
    stages: Vec<Option<Stage>>,
    impacts: Vec<Option<Impact>>,
    effects: Vec<Option<Effect>>,
    roles: Vec<Option<Role>>,
    /// Numbers by our own order, for what is written.
    codes: [Vec<u8>; 6],
    sensors: Vec<String>,
    sensor_numbers: HashMap<String, u16>,
}

/// The table that they are kept in.
pub(super) const WORD_TABLE: &str =
    "CREATE TABLE word(list INTEGER NOT NULL, code INTEGER NOT NULL,
    name TEXT NOT NULL, PRIMARY KEY(list, code)) WITHOUT ROWID;";

macro_rules! lists {
    ($($number:literal $field:ident $kind:ident $code:ident;)+) => {
        impl Words {
            /// Reads a file's words; where it may be written to, those that it lacks are added.
            pub(super) fn load(db: &Connection, is_written: bool) -> rusqlite::Result<Self> {
                let mut words = Self::default();
                $({
                    let mut names = names_of(db, $number)?;
                    for value in $kind::ALL {
                        if is_written && !names.iter().any(|name| name == value.name()) {
                            add(db, $number, names.len(), value.name())?;
                            names.push(value.name().to_owned());
                        }
                    }
                    words.codes[$number] = $kind::ALL.iter()
                        .map(|value| names.iter().position(|name| name == value.name()).unwrap_or(0) as u8)
                        .collect();
                    words.$field = names.iter().map(|name| $kind::from_name(name)).collect();
                })+
                for name in names_of(db, SENSORS)? {
                    words.remember(name);
                }
                Ok(words)
            }

            $(
                /// The number of a value in this file.
                pub(super) fn $code(&self, value: $kind) -> u8 {
                    self.codes[$number][value as usize]
                }
            )+
        }
    };
}

lists! {
    0 origins Origin origin_code;
    1 causes Cause cause_code;
    2 stages Stage stage_code;
    3 impacts Impact impact_code;
    4 effects Effect effect_code;
    5 roles Role role_code;
}

impl Words {
    pub(super) fn origin(&self, code: u8) -> Origin {
        self.origins.get(usize::from(code)).copied().flatten().unwrap_or(Origin::Unknown)
    }

    pub(super) fn cause(&self, code: u8) -> Cause {
        self.causes.get(usize::from(code)).copied().flatten().unwrap_or(Cause::Unknown)
    }

    pub(super) fn stage(&self, code: u8) -> Stage {
        self.stages.get(usize::from(code)).copied().flatten().unwrap_or(Stage::Later)
    }

    pub(super) fn impact(&self, code: u8) -> Impact {
        self.impacts.get(usize::from(code)).copied().flatten().unwrap_or(Impact::Unknown)
    }

    pub(super) fn effect(&self, code: u8) -> Effect {
        self.effects.get(usize::from(code)).copied().flatten().unwrap_or(Effect::Unobservable)
    }

    pub(super) fn role(&self, code: u8) -> Role {
        self.roles.get(usize::from(code)).copied().flatten().unwrap_or(Role::Primary)
    }

    /// Name of a sensor by its number.
    pub(super) fn sensor(&self, number: u16) -> &str {
        self.sensors.get(usize::from(number)).map_or("", String::as_str)
    }

    /// Number of a sensor, if it is known.
    pub(super) fn sensor_number(&self, name: &str) -> Option<u16> {
        self.sensor_numbers.get(name).copied()
    }

    /// Number of a sensor, which is written down if it is new.
    pub(super) fn sensor_or_new(
        &mut self,
        db: &Connection,
        name: &str,
    ) -> rusqlite::Result<Result<u16, Unreadable>> {
        if let Some(number) = self.sensor_number(name) {
            return Ok(Ok(number));
        }
        if self.sensors.len() >= SENSORS_MAX {
            return Ok(Err(Unreadable("more than 4096 sensors")));
        }
        add(db, SENSORS, self.sensors.len(), name)?;
        self.remember(name.to_owned());
        Ok(Ok((self.sensors.len() - 1) as u16))
    }

    fn remember(&mut self, name: String) {
        self.sensor_numbers.insert(name.clone(), self.sensors.len() as u16);
        self.sensors.push(name);
    }
}

fn names_of(db: &Connection, list: u8) -> rusqlite::Result<Vec<String>> {
    let mut read = db.prepare_cached("SELECT name FROM word WHERE list = ? ORDER BY code")?;
    read.query_map([list], |row| row.get(0))?.collect()
}

fn add(db: &Connection, list: u8, code: usize, name: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO word VALUES(?, ?, ?)")?
        .execute((list, code as i64, name))
        .map(drop)
}

const SENSORS: u8 = 6;

/// Sensors that one store tells apart.
pub(super) const SENSORS_MAX: usize = 4096;
