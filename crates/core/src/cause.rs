//! The causes of an error: how an error carries one, and how all of them are said in one line.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error below another one, from a library or a port whose type does not matter here. It can be cloned, and two are equal if
/// they say the same, so that the errors that carry one can be compared too.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Of an error; or of the sentence that an answer gave in place of one.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        chain(self) == chain(other)
    }
}

impl Eq for Cause {}

/// An error and its causes in one line, each once: some errors of libraries say their cause themselves.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("the table did not answer")]
        Silent(#[source] Cause),
        #[error("the table said: {0}")]
        Quoted(#[source] Cause),
    }

    #[test]
    fn every_cause_is_said_once_and_in_order() {
        let inner = || Cause::new(Outer::Silent(Cause::new("throttled")));
        assert_eq!(chain(&Outer::Silent(Cause::new("throttled"))), "the table did not answer: throttled");
        assert_eq!(chain(&Outer::Quoted(inner())), "the table said: the table did not answer: throttled");
        assert_eq!(inner(), inner());
        assert_ne!(inner(), Cause::new("the table did not answer"));
    }
}
