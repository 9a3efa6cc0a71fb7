//! Decides which addresses the client may send to.
//!
//! A `response_url` comes in a request and a webhook's address in a secret: neither may turn Cordon into a way to reach other hosts. So
//! only Slack's own host for hooks counts, or the very origin (scheme, host and port) that is configured as the API's.

use url::{Host, Url};

use super::SlackError;

const HOOKS: &str = "hooks.slack.com";

/// The API's address: https, or http to this machine; nothing else in it but a path.
pub(super) fn base(address: &str) -> Result<Url, SlackError> {
    let refused = SlackError::Address { what: "Slack API URL" };
    let url = Url::parse(address).map_err(|_| refused.clone())?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if secure && is_bare(&url) && url.query().is_none() { Ok(url) } else { Err(refused) }
}

/// The address of a Web API method.
pub(super) fn method(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    url
}

/// A webhook's or a `response_url`'s address.
pub(super) fn hook(address: &str, base: &Url, what: &'static str) -> Result<Url, SlackError> {
    let refused = SlackError::Address { what };
    let url = Url::parse(address).map_err(|_| refused.clone())?;
    let is_slacks = url.scheme() == "https" && url.host_str() == Some(HOOKS) && url.port().is_none();
    if is_bare(&url) && (is_slacks || url.origin() == base.origin()) { Ok(url) } else { Err(refused) }
}

/// Whether the host is this machine by its name or number alone; a name that only resolves to it does not count.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn is_bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_reached_by_https_or_on_this_machine() {
        for address in [
            "https://slack.com/api",
            "https://slack.com/api/",
            "http://127.0.0.1:9/api",
            "http://[::1]:9",
            "http://slack.localhost:9",
        ] {
            assert!(base(address).is_ok(), "{address}");
        }
        for address in [
            "http://slack.com/api",
            "http://127.0.0.1.nip.io/",
            "ftp://127.0.0.1/",
            "https://user@slack.com/api",
            "slack.com",
            "",
        ] {
            assert!(base(address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_method_is_appended_to_the_path() {
        for address in ["https://slack.com/api", "https://slack.com/api/"] {
            assert_eq!(method(&base(address).unwrap(), "chat.update").as_str(), "https://slack.com/api/chat.update");
        }
    }

    #[test]
    fn a_hook_is_slacks_or_the_stand_ins_and_no_other() {
        let slack = base("https://slack.com/api").unwrap();
        let stand_in = base("http://127.0.0.1:4000/api").unwrap();
        assert!(hook("https://hooks.slack.com/actions/T/1/x", &slack, "x").is_ok());
        assert!(hook("http://127.0.0.1:4000/respond/1", &stand_in, "x").is_ok());
        for address in [
            "http://hooks.slack.com/actions",
            "https://hooks.slack.com:8443/actions",
            "https://hooks.slack.com@evil.example/",
            "https://hooks.slack.com.evil.example/",
            "https://evil.example/hooks.slack.com",
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:4000/respond/1",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(hook(address, &slack, "x"), Err(SlackError::Address { what: "x" }), "{address}");
        }
        for address in ["http://127.0.0.1:4001/", "http://localhost:4000/", "https://127.0.0.1:4000/"] {
            assert!(hook(address, &stand_in, "x").is_err(), "{address}");
        }
    }
}
