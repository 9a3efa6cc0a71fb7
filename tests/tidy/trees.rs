//! What may not be in a member's own tree: built by itself, with the features that it asks for and not those of others.
//!
//! `workspace` looks at the whole workspace at once, where the features of all members are united. Crates with an optional part,
//! such as Slack's client, can only be judged one by one.

use std::collections::BTreeSet;
use std::process::Command;

use cordon_tests::repository;

/// Everything that speaks HTTP to somebody else, and what it brings along.
const HTTP_CLIENTS: [&str; 8] =
    ["reqwest", "hyper", "hyper-util", "h2", "ureq", "rustls", "native-tls", "aws-smithy-http-client"];

/// A member, what may never be in its tree, and why.
const NEVER: [(&str, &[&str], &str); 3] = [
    (
        "cordon-flow",
        &HTTP_CLIENTS,
        "a state reaches the world over its ports: put the client behind one, in cordon-aws or cordon-slack-channel",
    ),
    ("cordon-cards", &HTTP_CLIENTS, "a card is made and not sent: use cordon-slack without its feature `client`"),
    ("cordon-slack", &HTTP_CLIENTS, "who needs blocks alone needs no HTTP: put it behind the feature `client`"),
];

/// The packages that are built for a member by itself, dev-dependencies left out.
pub fn tree(member: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", member, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(repository::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// `tree` gives the names of the packages that are built for a member.
pub fn forbidden(tree: impl Fn(&str) -> BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (member, never, why) in NEVER {
        let packages = tree(member);
        assert!(packages.contains(member), "`cargo tree` does not show `{member}`: {packages:?}");
        let found = never.iter().filter(|name| packages.contains(**name));
        faults.extend(
            found.map(|name| {
                format!("`{name}` is in the tree of `{member}` (`cargo tree -p {member} -e normal -i {name}`): {why}")
            }),
        );
    }
    faults
}

mod tests {
    use super::*;

    #[test]
    fn a_client_in_the_wrong_tree_is_noticed() {
        let tree = |with: &'static str| {
            move |member: &str| {
                let other = if member == "cordon-flow" { with } else { "serde" };
                BTreeSet::from([member.to_owned(), other.to_owned()])
            }
        };
        assert_eq!(forbidden(tree("serde")), Vec::<String>::new());
        let faults = forbidden(tree("reqwest"));
        assert!(faults.len() == 1 && faults[0].contains("`reqwest` is in the tree of `cordon-flow`"), "{faults:?}");
    }
}
