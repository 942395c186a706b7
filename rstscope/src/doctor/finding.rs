//! One line of a diagnosis.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub(super) enum Level {
    /// As it should be.
    #[serde(rename = "OK")]
    Ok,
    /// Could not be looked at; what is said tells why.
    #[serde(rename = "NOT_CHECKED")]
    NotChecked,
    /// The sensor works, but slower or knowing less than it could.
    #[serde(rename = "WARN")]
    Warn,
    /// The sensor does not work, or what it says is wrong.
    #[serde(rename = "FAIL")]
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `machine`, the name of an interface, `tap` or `delivery`.
    pub(super) subject: String,
    /// Which check: a few words that never change.
    pub(super) name: &'static str,
    /// How bad it is.
    pub(super) level: Level,
    /// What was seen.
    pub(super) says: String,
    /// What it does to the sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<Fix>,
}

/// What mends a finding.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Fix {
    /// Commands for a shell, in their order; none where only a person can do it.
    pub(super) commands: Vec<String>,
    /// What a person has to do, or to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
    /// What the commands take away from somebody; such are never run without a person's yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) takes_away: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(Level::Ok, name, says.into())
    }

    /// Slower or knowing less than it could.
    pub(super) fn warn(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(Level::Warn, name, says.into())
    }

    /// Does not work, or lies.
    pub(super) fn fail(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(Level::Fail, name, says.into())
    }

    /// Could not be looked at, and why.
    pub(super) fn not_checked(name: &'static str, why: impl std::fmt::Display) -> Self {
        Self::new(Level::NotChecked, name, format!("not checked: {why}"))
    }

    fn new(level: Level, name: &'static str, says: String) -> Self {
        Self { subject: String::new(), name, level, says, why: None, fix: None }
    }

    /// What it does to the sensor.
    pub(super) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// The commands that mend it.
    pub(super) fn run<C: Into<String>>(self, commands: impl IntoIterator<Item = C>) -> Self {
        let commands = commands.into_iter().map(Into::into).collect();
        Self { fix: Some(Fix { commands, ..self.fix.unwrap_or_default() }), ..self }
    }

    /// What a person has to do, or to know.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { fix: Some(Fix { advice, ..self.fix.unwrap_or_default() }), ..self }
    }

    /// What the commands take away from somebody.
    pub(super) fn takes_away(self, what: impl Into<String>) -> Self {
        let takes_away = Some(what.into());
        Self { fix: Some(Fix { takes_away, ..self.fix.unwrap_or_default() }), ..self }
    }

    /// Says what was looked at.
    pub(super) fn of(self, subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..self }
    }

    /// Commands that may be run, if any.
    pub(super) fn commands(&self) -> &[String] {
        self.fix.as_ref().map_or(&[], |fix| &fix.commands)
    }
}

/// Everything that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Diagnosis {
    /// Whether nothing failed.
    pub(super) ok: bool,
    /// In the order of the checks.
    pub(super) findings: Vec<Finding>,
}

impl Diagnosis {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self { ok: findings.iter().all(|finding| finding.level != Level::Fail), findings }
    }

    /// How many of that level.
    pub(super) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}
