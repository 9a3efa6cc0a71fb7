//! Attacks on patterns that exempt, protect or say who somebody is: nobody fits one by an account, a path or a session of their choice.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};

use cordon_core::config::{Config, ConfigFile, Fault, Problem};
use cordon_core::pattern::{NamePattern, NamePatternError as E, NamedKind, Pattern};
use cordon_core::{Actor, RuleId};
use proptest::prelude::*;
use serde_json::json;

fn pattern(text: &str) -> NamePattern {
    text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
}

#[test]
fn attack_13_account_type_and_path_are_written_out_or_it_is_no_pattern() {
    let check = |text: &str, expected: Result<NamedKind, E>| {
        assert_eq!(text.parse::<NamePattern>().map(|pattern| pattern.kind()), expected, "{text}");
    };
    let iam = |resource: &str| format!("arn:aws:iam::111122223333:{resource}");
    for (resource, kind) in [
        ("user/ada", NamedKind::User),
        ("user/ops/eu/ada", NamedKind::User),
        ("user/ops/ada-*", NamedKind::User),
        ("role/*-deploy", NamedKind::Role),
        ("role/a:b/deploy", NamedKind::Role),
        ("role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Security_*", NamedKind::Role),
        ("role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Security_*", NamedKind::Role),
        ("role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Security_0123456789abcdef", NamedKind::Role),
        ("group/admins", NamedKind::Group),
        ("policy/base/p", NamedKind::Policy),
        ("root", NamedKind::Root),
    ] {
        check(&iam(resource), Ok(kind));
    }
    check("arn:aws-cn:iam::111122223333:user/ada", Ok(NamedKind::User));
    check("arn:aws-us-gov:cloudtrail:us-gov-west-1:111122223333:trail/t", Ok(NamedKind::Trail));
    let session = |role: &str, name: &str| format!("arn:aws:sts::111122223333:assumed-role/{role}/{name}");
    check(&session("AWSReservedSSO_Security_*", "ada@example.com"), Ok(NamedKind::Session));
    check(&session("AWSReservedSSO_Security_0123456789abcdef", "ada@*"), Ok(NamedKind::Session));

    for text in [
        "",
        "*",
        "user/ada",
        "arn:*",
        "arn:aws:iam::*",
        "ARN:aws:iam::111122223333:user/ada",
        " arn:aws:iam::111122223333:user/a",
    ] {
        check(text, Err(E::NotAnArn));
    }
    for partition in ["*", "aws*", "aw?", "", "AWS", "other", "aws-", "aws-*"] {
        check(&format!("arn:{partition}:iam::111122223333:user/ada"), Err(E::Partition));
    }
    for account in ["*", "", "1111*", "11112222333?", "1111222233334", "11112222333a", "aws", "************"] {
        check(&format!("arn:aws:iam::{account}:user/ada"), Err(E::Account));
    }
    for region in ["*", "us-east-1", "?"] {
        check(&format!("arn:aws:iam:{region}:111122223333:user/ada"), Err(E::Region));
    }
    for region in ["", "*", "us-*"] {
        check(&format!("arn:aws:cloudtrail:{region}:111122223333:trail/t"), Err(E::Region));
    }
    for resource in
        ["*", "*/ada", "u*/ada", "?ser/ada", "user", "user*", "ro*t", "root/x", "", "/", "mfa/ada", "instance-profile/p"]
    {
        assert!(matches!(iam(resource).parse::<NamePattern>(), Err(E::Kind(_))), "{resource}");
    }
    for text in ["arn:aws:*::111122223333:user/ada", "arn:aws:sts::111122223333:federated-user/ada", "arn:aws:s3:::111122223333"]
    {
        assert!(text.parse::<NamePattern>().is_err(), "{text}");
    }
    for resource in ["user/*/ada", "user/ops*/ada", "user/op?/ada", "role/**/a", "role/a/*/b", "group/*/admins", "policy/*/p"] {
        check(&iam(resource), Err(E::Path));
    }
    for sso in ["*/AWSReservedSSO_Security_*", "eu-*/AWSReservedSSO_Security_*"] {
        check(&iam(&format!("role/aws-reserved/sso.amazonaws.com/{sso}")), Err(E::Path));
    }
    for name in ["*", "**", "*-*", "_*", ""] {
        check(&iam(&format!("user/{name}")), Err(E::EveryName));
        check(&iam(&format!("user/break-glass/{name}")), Err(E::EveryName));
    }
    check(&iam("user/?"), Err(E::NameText('?')));
    check(&iam("user/ad?"), Err(E::NameText('?')));
    check(&iam("user/a b"), Err(E::NameText(' ')));
    for name in ["*", "AWSReservedSSO_*", "*AWSReservedSSO_Security*", "AWSReservedSSO_", "Security"] {
        check(&iam(&format!("role/aws-reserved/sso.amazonaws.com/eu-west-1/{name}")), Err(E::PermissionSet));
    }
    check(&iam("role/AWSReservedSSO_Security_*"), Err(E::NotIdentityCenter));
    check(&iam("role/aws-reserved/AWSReservedSSO_Security_0"), Err(E::NotIdentityCenter));
    for role in [
        "security",
        "*",
        "security*",
        "AWSReservedSSO_*",
        "AWS*",
        "AWSReservedSSO_S*_0",
        "AWSReservedSSO_S/x",
        "AWSReservedSSO_S?",
    ] {
        check(&session(role, "ada"), Err(E::ChosenSession));
    }
    check("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Security_*", Err(E::ChosenSession));
    check(&session("AWSReservedSSO_Security_*", "*"), Err(E::EveryName));
}

#[test]
fn attack_13_a_star_stands_for_a_part_of_a_name_and_for_no_path() {
    let check = |text: &str, arn: &str, exactly: bool, in_any_spelling: bool| {
        let found = (pattern(text).matches(arn), pattern(text).matches_any_spelling(arn));
        assert_eq!(found, (exactly, in_any_spelling), "{text} {arn}");
    };
    let user = "arn:aws:iam::111122223333:user/ops/break-glass-*";
    check(user, "arn:aws:iam::111122223333:user/ops/break-glass-1", true, true);
    check(user, "arn:aws:iam::111122223333:user/ops/Break-Glass-1", false, true);
    for arn in [
        "arn:aws:iam::111122223333:user/break-glass-1",
        "arn:aws:iam::111122223333:user/OPS/break-glass-1",
        "arn:aws:iam::111122223333:user/ops/break-glass-/mallory",
        "arn:aws:iam::111122223333:user/ops/x/break-glass-1",
        "arn:aws:iam::111122223333:user/x:user/ops/break-glass-1",
        "arn:aws:iam::111122223333:role/ops/break-glass-1",
        "arn:aws:iam::444455556666:user/ops/break-glass-1",
        "arn:aws-cn:iam::111122223333:user/ops/break-glass-1",
        "arn:aws:sts::111122223333:user/ops/break-glass-1",
        "",
        "user/ops/break-glass-1",
    ] {
        check(user, arn, false, false);
    }
    check("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root", true, true);
    check("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:ROOT", false, false);
    let session = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Security_*/ada";
    check(session, "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Security_0123/ada", true, true);
    check(session, "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Security_0123/ADA", false, false);
    check(session, "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Securit_0123/ada", false, false);
}

#[test]
fn two_patterns_overlap_where_one_name_fits_both() {
    let check = |a: &str, b: &str, expected: bool| {
        let of = |name: &str| pattern(&format!("arn:aws:iam::111122223333:{name}"));
        assert_eq!((of(a).overlaps(&of(b)), of(b).overlaps(&of(a))), (expected, expected), "{a} {b}");
    };
    check("user/ada", "user/ada", true);
    check("user/ada", "user/ADA", true);
    check("user/ada", "user/ada2", false);
    check("user/ada*", "user/*a2", true);
    check("user/a*b", "user/b*a", false);
    check("role/ada-*", "role/*-admin", true);
    check("role/x/ada-*", "role/*-admin", false);
    check("user/ada", "role/ada", false);
}

#[test]
fn attack_13_every_list_that_exempts_protects_or_names_a_person_refuses_such_a_pattern_at_its_line() {
    type List = (&'static str, fn(&str) -> String, &'static str);
    let lists: [List; 4] = [
        (
            "scope.never_touch",
            |pattern| format!("[scope]\nnever_touch = [\"arn:aws:iam::111122223333:user/a\",\n  \"{pattern}\"]\n"),
            "user",
        ),
        (
            "exceptions.automation.roles",
            |pattern| {
                format!(
                    "[[exceptions.automation]]\nroles = [\"arn:aws:iam::111122223333:role/a\",\n  \"{pattern}\"]\nname = \"CI\"\n"
                )
            },
            "role",
        ),
        (
            "approval.approvers.principals",
            |pattern| {
                format!(
                    "[[approval.approvers]]\nprincipals = [\"arn:aws:iam::111122223333:user/a\",\n  \"{pattern}\"]\nname = \"A\"\n\
                     slack_user_id = \"U0A\"\n"
                )
            },
            "user",
        ),
        (
            "approval.groups.principals",
            |pattern| {
                format!(
                    "[[approval.groups]]\nprincipals = [\"arn:aws:iam::111122223333:user/a\",\n  \"{pattern}\"]\nname = \"A\"\n\
                     slack_user_group = \"S0A\"\n"
                )
            },
            "role",
        ),
    ];
    for (key, text, kind) in lists {
        let told = |pattern: &str| {
            Config::parse("cordon.toml", &text(pattern)).err().map(|error| {
                assert_eq!(error.faults().iter().map(Fault::line).collect::<Vec<_>>(), [3], "{key} {pattern}");
                error.to_string()
            })
        };
        let good = format!("arn:aws:iam::111122223333:{kind}/ops/x-*");
        assert_eq!(told(&good), None, "{key}");
        for (wide, says) in [
            (
                format!("arn:aws:iam::*:{kind}/x"),
                format!("write the account's twelve digits, a line for each account: `arn:aws:iam::111122223333:{kind}/x`"),
            ),
            (format!("arn:*:iam::111122223333:{kind}/x"), format!("write `arn:aws:iam::111122223333:{kind}/x`")),
            (format!("arn:aws:iam::111122223333:{kind}/*/x"), "write the path in full, a line for each path".to_owned()),
            (format!("arn:aws:iam::111122223333:{kind}/break-glass/*"), "fits every name".to_owned()),
            (format!("arn:aws:iam::111122223333:{kind}/*"), "fits every name".to_owned()),
            (format!("arn:aws:iam::111122223333:*/{kind}"), "write it like `arn:aws:iam::111122223333:".to_owned()),
            ("arn:*".to_owned(), "is not an ARN pattern".to_owned()),
        ] {
            let told = told(&wide).unwrap_or_else(|| panic!("{key}: `{wide}` was taken"));
            let place = format!("cordon.toml:3:3: {key}: `{wide}` ");
            assert!(told.starts_with(&place) && told.contains(&says), "{told}");
        }
    }
}

#[test]
fn attack_13_the_old_way_to_write_identity_centers_roles_is_refused_with_the_new_one() {
    let text = "[[approval.groups]]\nname = \"S\"\nslack_user_group = \"S0A\"\nprincipals = [\n\
                \"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Security*\",\n\
                \"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Security*\",\n\
                \"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Security_*\",\n\
                \"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Security_*\",\n]\n";
    let error = Config::parse("cordon.toml", text).unwrap_err();
    assert_eq!(error.faults().iter().map(Fault::line).collect::<Vec<_>>(), [5, 6, 7]);
    let new = "`arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_NAME_*`";
    assert_eq!(error.to_string().matches(new).count(), 2, "{error}");
}

#[test]
fn attack_13_a_list_takes_only_what_it_is_about() {
    let error = |text: String| Config::parse("cordon.toml", &text).unwrap_err().to_string();
    let session = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_S_*/ada";
    assert!(error(format!("[scope]\nnever_touch = [\"{session}\"]")).contains("does not name a user or role or group"));
    assert!(error("[scope]\nnever_touch = [\"arn:aws:iam::111122223333:root\"]".to_owned()).contains("does not name a user"));
    let automation = |role: &str| error(format!("[[exceptions.automation]]\nname = \"CI\"\nroles = [\"{role}\"]"));
    assert!(automation("arn:aws:iam::111122223333:user/ci").contains("does not name a role"));
    assert!(automation("arn:aws:sts::111122223333:assumed-role/ci/build").contains("does not name a role"));
    for group in ["adm*", "arn:aws:iam::111122223333:group/admins", "ops/admins", "admin?"] {
        assert!(error(format!("[exceptions]\nexempt_groups = [\"{group}\"]")).contains("is not the name of a group"), "{group}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_policy_of_the_repository_loads() {
    let fixtures = std::fs::read_dir(root().join("tests/fixtures")).unwrap().map(|entry| entry.unwrap().path());
    let fixtures = fixtures.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let files: Vec<PathBuf> = fixtures.chain([root().join("cordon.toml"), root().join("crates/sandbox/cordon.toml")]).collect();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let parsed = Config::parse(&file.display().to_string(), &read(&file));
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
    }
}

/// What people copy: the examples in the comments of `cordon.toml`, and those of the pages.
#[test]
fn every_example_names_account_and_path() {
    let file = read(&root().join("cordon.toml"));
    let is_example = |line: &str| {
        ["[", "]", "  \"", "name =", "slack_user", "principals =", "roles =", "rules ="]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let uncommented: Vec<&str> =
        file.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_example(rest)).unwrap_or(line)).collect();
    let mut texts = vec![("cordon.toml".to_owned(), uncommented.join("\n"))];
    let pages = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for page in pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = read(&page);
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        texts.extend(blocks.map(|block| (page.display().to_string(), block.to_owned())));
    }
    let mut people = 0;
    for (name, text) in texts {
        let file = ConfigFile::read(&name, &text);
        let approval = &file.config().approval;
        people += approval.approvers.len() + approval.groups.len();
        if let Err(error) = file.clone().finish() {
            let wide = error.faults().iter().find(|fault| matches!(fault.problem(), Problem::NotNamed { .. }));
            assert_eq!(wide.map(ToString::to_string), None, "{name}\n{text}");
        }
    }
    assert!(people >= 4, "the examples of approvers and groups were found: {people}");
}

fn session(role: &str, name: &str, session: &str) -> Actor {
    Actor::from_record(&json!({"userIdentity": {"type": "AssumedRole", "accountId": "111122223333",
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{name}/{session}"),
        "sessionContext": {"sessionIssuer": {"arn": format!("arn:aws:iam::111122223333:{role}"), "userName": name}}}}))
}

/// A role of that name at another path is anybody's, and so is its session's name.
#[test]
fn attack_13_a_role_that_is_called_like_one_of_identity_center_locks_no_approver_out() {
    let text = "[[approval.approvers]]\nname = \"Ada\"\nslack_user_id = \"U0A\"\nprincipals = [\
                \"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_S_*/ada\", \
                \"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_T_*\"]";
    let config = Config::parse("cordon.toml", text).unwrap();
    let ada = config.approval.approvers.first().unwrap();
    let path = "role/aws-reserved/sso.amazonaws.com/eu-west-1";
    assert!(ada.is_actor(&session(&format!("{path}/AWSReservedSSO_S_01"), "AWSReservedSSO_S_01", "ada")));
    assert!(ada.is_actor(&session(&format!("{path}/AWSReservedSSO_T_01"), "AWSReservedSSO_T_01", "anything")));
    assert!(!ada.is_actor(&session("role/AWSReservedSSO_S_01", "AWSReservedSSO_S_01", "ada")));
    assert!(!ada.is_actor(&session("role/AWSReservedSSO_T_01", "AWSReservedSSO_T_01", "anything")));
    assert!(!ada.is_actor(&session(&format!("{path}/AWSReservedSSO_S_01"), "AWSReservedSSO_S_01", "eve")));
}

#[test]
fn attack_13_no_new_path_makes_a_role_trusted_automation() {
    let text = "[[exceptions.automation]]\nname = \"CI\"\nroles = [\"arn:aws:iam::111122223333:role/ci-*\"]";
    let config = Config::parse("cordon.toml", text).unwrap();
    let rule: RuleId = "any".parse().unwrap();
    let is = |role: &str| config.exceptions.automation(&session(role, role.rsplit('/').next().unwrap(), "s"), &rule).is_some();
    assert!(is("role/ci-deploy"));
    for role in ["role/ci-x/evil", "role/x/ci-deploy", "role/ci-/ci-deploy", "role/ci"] {
        assert!(!is(role), "{role}");
    }
}

const NAME: &str = "[a-c*]{0,6}";
const ARN_PATH: &str = "([a-c:]{0,3}/){0,3}";

proptest! {
    /// Whatever becomes a pattern fits only ARNs of its own account, type and path.
    #[test]
    fn what_fits_has_the_account_the_type_and_the_path_of_the_pattern(
        text in "arn:aws:iam::(111122223333|\\*|11112222333\\*):(user|role|\\*)/([a-c*?]{0,2}/){0,2}[a-c*]{0,4}",
        account in "(111122223333|444455556666)", kind in "(user|role)", path in ARN_PATH, name in "[a-cA-C]{1,6}",
    ) {
        let arn = format!("arn:aws:iam::{account}:{kind}/{path}{name}");
        if let Ok(pattern) = text.parse::<NamePattern>() {
            let (written, _) = text.rsplit_once('/').unwrap();
            prop_assert!(!written.contains(['*', '?']), "{}", text);
            if pattern.matches_any_spelling(&arn) {
                prop_assert_eq!(written, arn.rsplit_once('/').unwrap().0);
            }
            prop_assert!(!pattern.matches(&arn) || pattern.matches_any_spelling(&arn));
            // It is never wider than the pattern that may cross paths.
            prop_assert!(!pattern.matches(&arn) || Pattern::new(&text).matches(&arn));
        }
    }

    /// In the name, it means what a pattern means everywhere.
    #[test]
    fn within_a_path_it_is_the_pattern_of_the_name(wild in NAME, path in "([a-c]{1,3}/){0,2}", name in "[a-c]{1,6}") {
        let text = format!("arn:aws:iam::111122223333:user/{path}x{wild}");
        let fits = text.parse::<NamePattern>().unwrap().matches(&format!("arn:aws:iam::111122223333:user/{path}x{name}"));
        prop_assert_eq!(fits, Pattern::new(&wild).matches(&name));
    }

    /// A name that fits two patterns makes them overlap, however each is spelt.
    #[test]
    fn patterns_that_one_name_fits_overlap(a in NAME, b in NAME, name in "[a-c]{0,5}") {
        let of = |wild: &str| pattern(&format!("arn:aws:iam::111122223333:role/x{wild}"));
        let (a, b) = (of(&a), of(&b.to_uppercase()));
        let arn = format!("arn:aws:iam::111122223333:role/x{name}");
        if a.matches_any_spelling(&arn) && b.matches_any_spelling(&arn) {
            prop_assert!(a.overlaps(&b) && b.overlaps(&a), "{} {} {}", a, b, name);
        }
        prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
    }
}
