//! Values of a question, apart from its text. Source: ClickHouse, "HTTP interface", queries with parameters.

use std::fmt::Write as _;

/// Values by name, `p0` and on.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Takes a value, and gives what stands for it in the question: `{p0:String}`.
    pub(super) fn bind(&mut self, kind: &str, value: &str) -> String {
        self.push(kind, escaped(value))
    }

    fn push(&mut self, kind: &str, value: String) -> String {
        let name = format!("p{}", self.0.len());
        let mark = format!("{{{name}:{kind}}}");
        self.0.push((name, value));
        mark
    }

    /// The same of a list of texts.
    pub(super) fn bind_all<'v>(
        &mut self,
        kind: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> String {
        let mut list = String::from("[");
        for value in values {
            let comma = if list.len() > 1 { "," } else { "" };
            let _ = write!(list, "{comma}{}", quoted(value));
        }
        list.push(']');
        // A list is read as it stands; its texts have quotes and marks of their own.
        self.push(&format!("Array({kind})"), list)
    }

    /// Names and values, as they are sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Text as a literal of SQL.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('\'');
    literal
}

/// As values are written between tabs.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Parameters, quoted};

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted(r"a'; DROP TABLE x; --\"), r"'a\'; DROP TABLE x; --\\'");
    }

    #[test]
    fn values_stand_beside_the_question_and_end_nowhere_early() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.bind("String", "a\tb\\'"), "{p0:String}");
        assert_eq!(parameters.bind_all("String", ["it's", "b"]), "{p1:Array(String)}");
        let sent: Vec<_> = parameters.iter().collect();
        assert_eq!(sent, [("p0", r"a\tb\\'"), ("p1", r"['it\'s','b']")]);
    }
}
