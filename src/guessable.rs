//! Whether a passphrase is one that lists and patterns find: repeated, in sequence, or made of the
//! words that examples use.

/// The words that stand for "put your own here", and the ones that everybody picks instead.
const WORDS: &[&str] = &[
    "123456",
    "admin",
    "changeit",
    "changeme",
    "change",
    "default",
    "encryption",
    "example",
    "foobar",
    "gateway",
    "hunter2",
    "iloveyou",
    "insecure",
    "key",
    "letmein",
    "local",
    "master",
    "passphrase",
    "password",
    "passwort",
    "placeholder",
    "portcullis",
    "qwerty",
    "qwertz",
    "replace",
    "secret",
    "test",
    "this",
    "todo",
    "token",
    "welcome",
    "your",
];

/// Whether `text` can be guessed.
pub(crate) fn guessable(text: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    few_characters(&text) || repeated(&text) || in_sequence(&text) || of_known_words(&text)
}

fn few_characters(text: &[char]) -> bool {
    let mut seen = text.to_vec();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 6
}

/// Whether it is one piece over and over.
fn repeated(text: &[char]) -> bool {
    (1..=text.len() / 2).any(|period| text.iter().zip(text.iter().skip(period)).all(|(a, b)| a == b))
}

/// Whether most neighbours are neighbours in the alphabet or on the keyboard, or alike.
fn in_sequence(text: &[char]) -> bool {
    const ROWS: &str = "1234567890 qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm";
    let next = |pair: &[char]| {
        let [a, b] = pair else { return false };
        let alphabet = u32::from(*a).abs_diff(u32::from(*b)) <= 1;
        alphabet || ROWS.contains(&format!("{a}{b}")) || ROWS.contains(&format!("{b}{a}"))
    };
    text.windows(2).filter(|pair| next(pair)).count() * 4 >= (text.len() - 1) * 3
}

/// Whether little is left without the known words and what stands between them.
fn of_known_words(text: &[char]) -> bool {
    let mut left: String = text.iter().filter(|c| c.is_alphanumeric()).collect();
    for word in WORDS {
        left = left.replace(word, "");
    }
    left.chars().count() < 8
}

#[cfg(test)]
mod tests {
    use super::guessable;

    #[test]
    fn t052_what_examples_and_lists_hold_is_refused() {
        for bad in [
            "changemechangeme",
            "change-me-change-me",
            "ChangeMe-ChangeMe-123",
            "secretsecretsecret",
            "my-secret-password-1",
            "portcullis-encryption-key",
            "your-secret-key-here",
            "0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz",
            "qwertyuiopasdfghjkl",
            "aaaaaaaaaaaaaaab",
            "x1y2z3x1y2z3x1y2z3",
            "1111222233334444",
        ] {
            assert!(guessable(bad), "{bad}");
        }
        for good in
            ["correct horse battery staple", "b7Gq-x!0kWm2Zt9Lp", "3f9a1c77e02d4b58aa61", "tři sta třicet tři křepelek"]
        {
            assert!(!guessable(good), "{good}");
        }
    }
}
