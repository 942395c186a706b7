//! A line as words; a quoted text is one word that keeps its quotes' opening mark.

use std::str::FromStr;

/// The words of a line, read from left to right.
pub(crate) struct Words {
    words: Vec<String>,
    next: usize,
}

impl Words {
    /// Splits at white space, not inside quotes; `\r`, `\n` and `\"` are understood there.
    pub(crate) fn of(line: &str) -> Result<Self, String> {
        let mut words = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (word, after) = if rest.starts_with('"') {
                quoted(rest)?
            } else {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            };
            words.push(word);
            rest = after.trim_start();
        }
        Ok(Self { words, next: 0 })
    }

    /// The next word, if any.
    pub(crate) fn take(&mut self) -> Option<String> {
        let word = self.words.get(self.next).cloned();
        self.next += usize::from(word.is_some());
        word
    }

    /// The next word, left where it is.
    pub(crate) fn peek(&self) -> Option<&str> {
        self.words.get(self.next).map(String::as_str)
    }

    /// The next word; `what` names it if it is missing.
    pub(crate) fn expect(&mut self, what: &str) -> Result<String, String> {
        self.take().ok_or_else(|| format!("{what} is missing"))
    }

    /// The next word as a number, decimal or 0x.
    pub(crate) fn number<T: TryFrom<i64>>(&mut self, what: &str) -> Result<T, String> {
        let word = self.expect(what)?;
        number(&word).ok_or_else(|| format!("{word:?} is no {what}"))
    }

    /// The next word, parsed.
    pub(crate) fn parsed<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.expect(what)?;
        word.parse().map_err(|_| format!("{word:?} is no {what}"))
    }

    /// The next word as a span of time, in nanoseconds.
    pub(crate) fn span(&mut self) -> Result<i64, String> {
        let word = self.expect("a time")?;
        span_ns(&word).ok_or_else(|| format!("{word:?} is no time (write 20ms, 1.5s, 300us, 2h)"))
    }
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut word = String::from('"');
    let mut characters = text[1..].char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((word, &text[index + 2..])),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some('r') => word.push('\r'),
                Some('n') => word.push('\n'),
                Some(escaped) => word.push(escaped),
                None => break,
            },
            _ => word.push(character),
        }
    }
    Err("a quote is not closed".to_owned())
}

/// A number, decimal or 0x, with an optional sign.
pub(crate) fn number<T: TryFrom<i64>>(word: &str) -> Option<T> {
    let value = match word.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => word.parse().ok()?,
    };
    T::try_from(value).ok()
}

/// A span such as `20ms` in nanoseconds.
pub(crate) fn span_ns(word: &str) -> Option<i64> {
    let unit = word.find(|c: char| c.is_ascii_alphabetic())?;
    let scale = match &word[unit..] {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    };
    word[..unit].parse::<f64>().ok().map(|count| (count * scale).round() as i64)
}
