//! Words of commands that are said to whoever runs them in a shell.

use std::borrow::Cow;

/// The word as a shell must read it to get the same word: names of interfaces and paths may hold anything
/// (`x;reboot` is a name to Linux).
#[must_use]
pub fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@:/+-=,%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    // Between single quotes nothing has a meaning but the next one.
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::quoted;

    #[test]
    fn a_plain_word_stays_as_it_is() {
        for word in ["eth1", "eth0.100@bond0", "enp1s0f0np0", "/usr/bin/rstscope"] {
            assert_eq!(quoted(word), word);
        }
    }

    #[test]
    fn a_shell_reads_the_very_word() {
        for word in ["", "x;reboot", "a b", "it's", "$(id)`id`", "\"\\n*?~", "'", "ö", "-n\n"] {
            let command = format!("printf %s {}", quoted(word));
            let output = Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{command}");
        }
    }
}
