//! Checks the directions of dependencies, and every manifest.

use std::collections::BTreeMap;

use cargo_metadata::DependencyKind;
use cordon_tests::cargo::Member;
use cordon_tests::repository::ReadError;
use cordon_tests::sentence;

/// Crates that wait, call out, or talk to AWS.
const OUTSIDE: [&str; 9] =
    ["tokio", "async-std", "smol", "reqwest", "hyper", "aws-config", "aws-sdk-*", "aws-smithy-*", "lambda_runtime"];

/// Knows characters and nothing of Cordon, so that every other member may link it.
const ANYBODYS: &str = "cordon-text";

/// A member, what may never be linked into it, and why. A `*` at the end stands for any rest of a name.
fn never_linked() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    let pure = "it decides and does no I/O: put what calls out behind a port, and the call into cordon-aws";
    let but_core =
        ["cordon-aws", "cordon-flow", "cordon-lambda", "cordon-sandbox", "cordon-slack", "cordon-slack-channel", "cordon-cli"];
    let with = |more: &[&'static str]| OUTSIDE.into_iter().chain(but_core).chain(more.iter().copied()).collect::<Vec<_>>();
    vec![
        (ANYBODYS, with(&["cordon-*"]), "everybody links it: keep it small, and free of everything else"),
        ("cordon-core", with(&["cordon-*"]), pure),
        ("cordon-detect", with(&["cordon-respond", "cordon-contract"]), pure),
        ("cordon-respond", with(&["cordon-detect", "cordon-contract"]), pure),
        ("cordon-record", with(&["cordon-detect", "cordon-contract"]), pure),
        ("cordon-json-scan", with(&["cordon-*", "serde_json"]), "it knows bytes and keys, and nothing of records"),
        (
            "cordon-store",
            with(&["cordon-contract", "cordon-record", "cordon-cards"]),
            "it reads and writes over a port, and knows neither states nor Slack nor HTTP",
        ),
        ("cordon-replay", with(&["cordon-respond", "cordon-contract"]), "it reads logs and nothing else, without AWS"),
        (
            "cordon-contract",
            with(&["cordon-detect", "cordon-respond"]),
            "it is only the words between the states: keep behaviour out of it",
        ),
        (
            "cordon-flow",
            vec!["aws-*", "aws_lambda_events", "lambda_runtime", "cordon-aws", "cordon-lambda", "cordon-slack-channel"],
            "it reaches AWS over its ports, so that it can be tested without: use a port",
        ),
        (
            "cordon-slack",
            vec!["cordon-*", "aws-*", "lambda_runtime"],
            "it knows Slack and nothing of incidents: let cordon-cards translate",
        ),
        (
            "cordon-cards",
            vec![
                "aws-*",
                "lambda_runtime",
                "cordon-aws",
                "cordon-contract",
                "cordon-detect",
                "cordon-flow",
                "cordon-lambda",
                "cordon-slack-channel",
                "cordon-store",
            ],
            "it shows an incident and knows no state and no port: give it what it shows",
        ),
        (
            "cordon-cli",
            vec!["lambda_runtime", "aws_lambda_events", "cordon-lambda", "cordon-slack-channel"],
            "a command is no function: let it read cordon.toml and rules through cordon-bundle",
        ),
        (
            "cordon-bundle",
            with(&["cordon-contract", "cordon-replay"]),
            "functions, command and sandbox read the policy through it: keep runtime, AWS and states out of it",
        ),
        (
            "cordon-aws",
            vec!["lambda_runtime", "cordon-lambda", "cordon-slack-channel", "cordon-sandbox"],
            "the command line uses it, too, outside of Lambda",
        ),
        (
            "cordon-slack-channel",
            vec!["lambda_runtime", "cordon-lambda", "cordon-sandbox", "cordon-cli"],
            "it answers what it is given: let the function serve it",
        ),
        (
            "cordon-lambda",
            vec!["cordon-slack-channel", "aws_lambda_events"],
            "it is the runtime of every function: put what only some need into a crate of its own",
        ),
    ]
}

fn fits(name: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start))
}

pub fn directions(members: &BTreeMap<String, Member>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, never, why) in never_linked() {
        let Some(member) = members.get(name) else {
            faults.push(format!("there is no `{name}` any more: correct `never_linked` in tests/tidy/workspace.rs"));
            continue;
        };
        let seen = member.linked.iter().filter(|linked| *linked != ANYBODYS && never.iter().any(|pattern| fits(linked, pattern)));
        faults.extend(seen.map(|linked| {
            format!("`{name}` links `{linked}`, near or far (`cargo tree -p {name} -e no-dev -i {linked}`): {why}")
        }));
    }
    for member in members.values() {
        for (dependency, kind) in &member.direct {
            let is_function = members.get(dependency).is_some_and(|other| other.folder.starts_with("functions/"));
            if is_function {
                faults.push(format!(
                    "`{}` depends on the function `{dependency}`: move what both need into a crate under crates/",
                    member.name
                ));
            }
            if dependency == "cordon-testkit" && *kind != DependencyKind::Development && member.name != "cordon-tests" {
                faults.push(format!("`{}` links cordon-testkit into what is deployed: make it a dev-dependency", member.name));
            }
            if dependency.starts_with("cordon-") && member.name == "cordon-slack" && *kind == DependencyKind::Development {
                faults.push(format!("`cordon-slack` tests itself with `{dependency}`: it must stand alone"));
            }
        }
    }
    faults
}

/// `manifest` gives the text of a member's `Cargo.toml`.
pub fn manifests(members: &BTreeMap<String, Member>, manifest: impl Fn(&Member) -> Result<String, ReadError>) -> Vec<String> {
    let mut faults = Vec::new();
    for member in members.values() {
        let place = format!("{}/Cargo.toml", member.folder);
        if member.license.as_deref() != Some("Apache-2.0") {
            faults.push(format!("{place} must say `license.workspace = true`"));
        }
        if !member.unpublished {
            faults.push(format!("{place} must say `publish.workspace = true`: the crates are not for crates.io"));
        }
        if member.description.as_deref().unwrap_or_default().is_empty() {
            faults.push(format!("{place} must say in `description` what the package decides or does"));
        }
        match manifest(member).map(|text| text.parse::<toml::Table>()) {
            Ok(Ok(manifest)) => faults.extend(own_versions_and_lints(&place, &manifest)),
            Ok(Err(error)) => faults.push(format!("{place} is no TOML: {error}")),
            Err(error) => faults.push(sentence(&error)),
        }
    }
    faults
}

fn own_versions_and_lints(place: &str, manifest: &toml::Table) -> Vec<String> {
    let is_shared = |value: &toml::Value| value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
    let mut faults = Vec::new();
    if !manifest.get("lints").is_some_and(is_shared) {
        faults.push(format!("{place} must have `[lints]` with `workspace = true`: without it no lint of ours is on"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten();
        let own = dependencies.filter(|(_, value)| !is_shared(value));
        faults.extend(own.map(|(name, _)| format!("{place} gives `{name}` a version of its own: say `{name}.workspace = true`, and the version in the root's Cargo.toml")));
    }
    faults
}

mod tests {
    use super::*;

    fn member(name: &str, linked: &[&str], direct: &[(&str, DependencyKind)]) -> Member {
        let folder = if name.starts_with("cordon-") { format!("crates/{name}") } else { format!("functions/{name}") };
        Member {
            name: name.to_owned(),
            license: Some("Apache-2.0".to_owned()),
            description: Some("Sample.".to_owned()),
            folder,
            unpublished: true,
            direct: direct.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            linked: linked.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn workspace(changed: Member) -> BTreeMap<String, Member> {
        let names = [
            "cordon-text",
            "cordon-core",
            "cordon-detect",
            "cordon-respond",
            "cordon-record",
            "cordon-json-scan",
            "cordon-store",
            "cordon-replay",
            "cordon-contract",
            "cordon-flow",
            "cordon-slack",
            "cordon-slack-channel",
            "cordon-lambda",
            "cordon-aws",
            "cordon-bundle",
            "cordon-cli",
            "cordon-cards",
            "cordon-store",
            "cordon-testkit",
            "notify",
        ];
        let whole = names.map(|name| member(name, &[], &[])).into_iter().chain([changed]);
        whole.map(|member| (member.name.clone(), member)).collect()
    }

    #[test]
    fn a_dependency_in_the_wrong_direction_is_noticed() {
        let rows = [
            (member("cordon-text", &["cordon-core"], &[]), "`cordon-text` links `cordon-core`"),
            (member("cordon-core", &["tokio"], &[]), "`cordon-core` links `tokio`"),
            (member("cordon-core", &["cordon-testkit"], &[]), "`cordon-core` links `cordon-testkit`"),
            (member("cordon-detect", &["aws-sdk-iam"], &[]), "`cordon-detect` links `aws-sdk-iam`"),
            (member("cordon-respond", &["aws-smithy-types"], &[]), "`cordon-respond` links"),
            (member("cordon-record", &["cordon-flow"], &[]), "`cordon-record` links `cordon-flow`"),
            (member("cordon-store", &["cordon-slack"], &[]), "`cordon-store` links `cordon-slack`"),
            (member("cordon-replay", &["tokio"], &[]), "`cordon-replay` links `tokio`"),
            (member("cordon-contract", &["reqwest"], &[]), "`cordon-contract` links `reqwest`"),
            (member("cordon-flow", &["aws-types"], &[]), "`cordon-flow` links `aws-types`"),
            (member("cordon-cli", &["lambda_runtime"], &[]), "`cordon-cli` links `lambda_runtime`"),
            (member("cordon-bundle", &["cordon-flow"], &[]), "`cordon-bundle` links `cordon-flow`"),
            (member("cordon-slack-channel", &["lambda_runtime"], &[]), "`cordon-slack-channel` links `lambda_runtime`"),
            (member("cordon-lambda", &["cordon-slack-channel"], &[]), "`cordon-lambda` links `cordon-slack-channel`"),
            (member("cordon-slack", &["cordon-core"], &[]), "`cordon-slack` links `cordon-core`"),
            (member("cordon-slack", &[], &[("cordon-testkit", DependencyKind::Development)]), "must stand alone"),
            (member("cordon-aws", &[], &[("cordon-testkit", DependencyKind::Normal)]), "make it a dev-dependency"),
            (member("classify", &[], &[("notify", DependencyKind::Development)]), "`classify` depends on the function `notify`"),
        ];
        for (changed, says) in rows {
            let faults = directions(&workspace(changed));
            assert!(faults.len() == 1 && faults[0].contains(says), "{says}: {faults:?}");
        }
        for allowed in [
            member("cordon-aws", &[], &[("cordon-testkit", DependencyKind::Development)]),
            member("cordon-slack", &["cordon-text"], &[("cordon-text", DependencyKind::Normal)]),
        ] {
            assert_eq!(directions(&workspace(allowed)), Vec::<String>::new());
        }
    }

    #[test]
    fn a_manifest_that_goes_its_own_way_is_noticed() {
        const GOOD: &str = "[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n";
        let check = |changed: Member, manifest: &str, says: &str| {
            let members = BTreeMap::from([(changed.name.clone(), changed)]);
            let faults = manifests(&members, |_| Ok(manifest.to_owned()));
            assert!(
                if says.is_empty() { faults.is_empty() } else { faults.len() == 1 && faults[0].contains(says) },
                "{says}: {faults:?}"
            );
        };
        let sample = || member("cordon-core", &[], &[]);
        check(sample(), GOOD, "");
        check(Member { license: None, ..sample() }, GOOD, "license");
        check(Member { unpublished: false, ..sample() }, GOOD, "publish");
        check(Member { description: None, ..sample() }, GOOD, "description");
        check(sample(), "[dependencies]\nserde.workspace = true\n", "[lints]");
        check(sample(), "[lints]\nworkspace = true\n[dev-dependencies]\nserde = \"1\"\n", "`serde` a version of its own");
        check(Member { direct: Vec::new(), ..sample() }, "[lints\n", "TOML parse error");
    }
}
