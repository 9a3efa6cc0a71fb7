//! Placeholders in rules for values that differ between deployments: the exception tag, and the prefix of the names of Cordon's
//! parts.

use super::RuleSource;

/// The values of `%exception_tag%`, `%exception_until_tag%`, `%exception_value%` and `%cordon%` in rule files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholders {
    tag_key: String,
    until_key: String,
    tag_value: String,
    name: String,
}

/// A value that cannot stand in a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} cannot be `{value}`: letters, digits, spaces and `_.:/=+-@` can stand in a tag or name")]
pub struct PlaceholderError {
    setting: &'static str,
    value: String,
}

impl Default for Placeholders {
    /// As Cordon is shipped.
    fn default() -> Self {
        Self {
            tag_key: "SecurityApproved".to_owned(),
            until_key: "SecurityApprovedUntil".to_owned(),
            tag_value: "true".to_owned(),
            name: "cordon".to_owned(),
        }
    }
}

impl Placeholders {
    /// The values of a deployment: the exception tag of its policy, the tag of its end, and the deployment's name.
    ///
    /// # Errors
    /// The value that cannot stand in a rule file.
    pub fn new(tag_key: &str, until_key: &str, tag_value: &str, name: &str) -> Result<Self, PlaceholderError> {
        for (setting, value) in [
            ("exceptions.tag_key", tag_key),
            ("exceptions.until_key", until_key),
            ("exceptions.tag_value", tag_value),
            ("the deployment's name", name),
        ] {
            // What AWS allows in a tag; the name's alphabet is smaller.
            let usable = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
            if value.trim().is_empty() || !value.chars().all(usable) {
                return Err(PlaceholderError { setting, value: value.to_owned() });
            }
        }
        Ok(Self {
            tag_key: tag_key.to_owned(),
            until_key: until_key.to_owned(),
            tag_value: tag_value.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The rule file with the values filled in.
    #[must_use]
    pub(super) fn fill(&self, source: RuleSource) -> RuleSource {
        if !source.text.contains('%') {
            return source;
        }
        let values = [
            ("%exception_tag%", &self.tag_key),
            ("%exception_until_tag%", &self.until_key),
            ("%exception_value%", &self.tag_value),
            ("%cordon%", &self.name),
        ];
        let text = values.into_iter().fold(source.text, |text, (place, value)| text.replace(place, value));
        RuleSource { text, ..source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_wherever_they_stand() {
        let values = Placeholders::new("team:approved", "team:until", "yes", "watch").unwrap();
        let filled = values.fill(RuleSource::new(
            "a.yml",
            "a: '%exception_tag%=%exception_value%'\nu: '%exception_until_tag%'\nb: '%cordon%-x'\nc: '%7B%other%'",
        ));
        assert_eq!(filled.text, "a: 'team:approved=yes'\nu: 'team:until'\nb: 'watch-x'\nc: '%7B%other%'");
    }

    #[test]
    fn what_could_break_out_of_its_place_is_refused() {
        for bad in ["", " ", "a'b", "a\"b", "a*", "a?b", "a\\b", "a\nb", "a#b", "%cordon%"] {
            assert!(Placeholders::new(bad, "Until", "true", "cordon").unwrap_err().to_string().contains("tag_key"), "{bad:?}");
            assert!(Placeholders::new("Tag", "Until", "true", bad).unwrap_err().to_string().contains("name"), "{bad:?}");
        }
    }
}
