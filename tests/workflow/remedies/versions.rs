//! The versions of a managed policy, on moto: the emulator of the other tests has no `SetDefaultPolicyVersion`.
//!
//! Here the shipped rules, the planner, the runner and the adapter to IAM run as they do in the functions, under a key of their
//! own; moto enforces IAM for every call. Not here are state machine, functions and Slack: moto has no way to run them together.
//! The record of the attack is made from the call's own parameters and answer, since moto keeps none.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_iam::Client;
use cordon_aws::SdkIam;
use cordon_core::event::Event;
use cordon_core::incident::EventFacts;
use cordon_core::{Actor, Config, Plan, Subject};
use cordon_detect::RuleBook;
use cordon_respond::{Case, apply_plan, revert_plan, verify_plan};
use cordon_sandbox::{Keys, sdk_config};
use cordon_testkit::MemoryProgress;
use cordon_testkit::no_limits;
use serde_json::{Value, json};

use crate::Test;
use crate::deployment::{ALL_OF_IAM, root};
use crate::person::Person;

/// moto's own.
const ACCOUNT: &str = "123456789012";
const REQUIREMENTS: &str = include_str!("../../fixtures/moto/requirements.txt");
const READY_LIMIT: Duration = Duration::from_secs(300);
const ONLY_VERSIONS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:CreatePolicyVersion"],"Resource":"*"}]}"#;

/// A running moto. It ends with the test: the guard sees its standard input close.
struct Moto {
    guard: Child,
    port: u16,
}

impl Moto {
    /// Without authorisation, until [`Moto::enforces`].
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let guard = root().join("crates/sandbox/launcher/guard.py");
        let folder = environment();
        let python = folder.join("bin/python");
        let log = std::fs::File::create(folder.join("moto.log")).unwrap();
        let guard = Command::new(&python)
            .arg(guard)
            .arg("run")
            .arg(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "1000000")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut moto = Self { guard, port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(moto.guard.try_wait().unwrap().is_none(), "moto ended; see {}", folder.join("moto.log").display());
            assert!(began.elapsed() < READY_LIMIT, "moto does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto
    }

    /// From now on every call is judged by its caller's policies.
    fn enforces(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(b"POST /moto-api/reset-auth HTTP/1.1\r\nHost: moto\r\nConnection: close\r\nContent-Length: 1\r\n\r\n0")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn person(&self, name: &str, id: &str, secret: &str) -> Person {
        Person::new(name, sdk_config(&format!("http://127.0.0.1:{}", self.port), &Keys::new(id, secret)))
    }

    async fn user(&self, iam: &Client, name: &str) -> Person {
        iam.create_user().user_name(name).send().await.unwrap();
        let made = iam.create_access_key().user_name(name).send().await.unwrap();
        let key = made.access_key().unwrap();
        self.person(name, key.access_key_id(), key.secret_access_key())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ended = self.guard.wait();
    }
}

/// Python with moto, made once from the pinned files.
fn environment() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto");
    let stamp = folder.join("cordon.stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == REQUIREMENTS) {
        return folder;
    }
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "moto cannot be installed: {}", String::from_utf8_lossy(&output.stderr));
    };
    let python = std::env::var_os("CORDON_PYTHON").unwrap_or_else(|| "python3".into());
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder));
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS).unwrap();
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    run(Command::new(folder.join("bin/python")).args(pip).args(["--only-binary", ":all:", "-r"]).arg(&requirements));
    std::fs::write(&stamp, REQUIREMENTS).unwrap();
    folder
}

/// moto puts the code of a refusal where AWS has none, and the SDK does not find it. The status is AWS's.
async fn may_not_make_users(user: &Person) {
    let refused = user.iam.create_user().user_name("iam-test-never-made").send().await.unwrap_err();
    assert_eq!(refused.raw_response().map(|response| response.status().as_u16()), Some(403), "{refused:?}");
}

/// What IAM has of a policy: its default version's document, and how many versions there are.
async fn policy(iam: &Client, arn: &str) -> (String, usize) {
    let versions = iam.list_policy_versions().policy_arn(arn).send().await.unwrap();
    let default = versions.versions().iter().find(|version| version.is_default_version()).unwrap();
    let read = iam.get_policy_version().policy_arn(arn).version_id(default.version_id().unwrap()).send().await.unwrap();
    (read.policy_version().and_then(|version| version.document()).unwrap().to_owned(), versions.versions().len())
}

async fn inline(iam: &Client, user: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in iam.list_user_policies().user_name(user).send().await.unwrap().policy_names() {
        let read = iam.get_user_policy().user_name(user).policy_name(name).send().await.unwrap();
        found.insert(name.clone(), read.policy_document().to_owned());
    }
    found
}

/// The plan that the shipped rules and the planner make of a record.
async fn planned(iam: &SdkIam, record: &Value) -> Plan {
    let rules = cordon_bundle::read_rules(&root().join("rules")).unwrap();
    let detections = RuleBook::load(rules).unwrap().evaluate(record);
    let text = std::fs::read_to_string(root().join("tests/fixtures/enforce.toml")).unwrap();
    let config = Config::parse("enforce.toml", &text).unwrap();
    let event = Event::from_envelope(&json!({"source": "aws.iam", "detail": record}), None).unwrap();
    let case = Case {
        incident: &"inc-0123456789abcdef0123".parse().unwrap(),
        account: event.account.as_ref(),
        actor: &Actor::from_record(record),
        subject: &Subject::from_record(record),
        detections: &detections,
        event: &EventFacts::from_event(&event),
        now: jiff::Timestamp::now(),
    };
    let planning = cordon_respond::planner::plan(iam, &cordon_respond::NoHolds, &config, &[], &case).await.unwrap();
    assert_eq!(planning.left_out, Vec::<String>::new());
    planning.plan
}

#[tokio::test]
async fn a_policy_that_was_made_an_administrators_is_set_back_and_its_holders_lose_what_they_gained() -> Test {
    let moto = Moto::start();
    let operator = moto.person("operator", "setup", "setup").iam;
    let cordon = moto.user(&operator, "cordon").await;
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    operator.put_user_policy().user_name("cordon").policy_name("all").policy_document(document).send().await?;
    let (attacker, holder) = (moto.user(&operator, "iam-test-versioner").await, moto.user(&operator, "iam-test-holder").await);
    let made = operator.create_policy().policy_name("iam-test-tools").policy_document(ONLY_VERSIONS).send().await?;
    let arn = made.policy().and_then(|policy| policy.arn()).unwrap().to_owned();
    for user in [&attacker, &holder] {
        operator.attach_user_policy().user_name(&user.name).policy_arn(&arn).send().await?;
    }
    moto.enforces();
    let (iam, former) = (SdkIam::new(&cordon.config), policy(&cordon.iam, &arn).await);
    may_not_make_users(&attacker).await;

    let version = attacker.iam.create_policy_version().policy_arn(&arn).policy_document(ALL_OF_IAM).set_as_default(true);
    let version = version.send().await?.policy_version.unwrap();
    for user in [&attacker, &holder] {
        user.creates_user(&format!("{}-gained", user.name)).await?;
    }
    let attacked = (policy(&cordon.iam, &arn).await, inline(&cordon.iam, &attacker.name).await);
    let record = json!({
        "eventVersion": "1.11", "eventID": "versions-1", "eventName": "CreatePolicyVersion", "eventSource": "iam.amazonaws.com",
        "eventTime": jiff::Timestamp::now(), "awsRegion": "us-east-1", "readOnly": false, "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "userName": attacker.name, "accountId": ACCOUNT,
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/{}", attacker.name)},
        "requestParameters": {"policyArn": arn, "policyDocument": ALL_OF_IAM, "setAsDefault": true},
        "responseElements": {"policyVersion": {"versionId": version.version_id(), "isDefaultVersion": true}}});

    let plan = planned(&iam, &record).await;
    let remedies = plan.steps.iter().map(|step| step.remedy.to_string()).collect::<Vec<_>>();
    assert_eq!(remedies, ["deny-iam", "restore-policy-version", "delete-policy-version"]);
    let progress = MemoryProgress::default();
    let applied = apply_plan(&iam, &no_limits(), &plan, &progress).await?;
    assert!(applied.complete, "{applied:?}");
    assert!(verify_plan(&iam, &no_limits(), &plan, &progress).await?.complete);

    assert_eq!(policy(&cordon.iam, &arn).await, former);
    may_not_make_users(&holder).await;
    // What the former version allows goes on for the one who did nothing, and not for the attacker.
    holder.iam.list_users().send().await?;
    attacker.iam.list_users().send().await.unwrap_err();
    attacker.iam.create_policy_version().policy_arn(&arn).policy_document(ALL_OF_IAM).send().await.unwrap_err();

    let undone = revert_plan(&iam, &plan, &progress, None, false).await?;
    assert!(undone.complete, "{undone:?}");
    assert_eq!((policy(&cordon.iam, &arn).await, inline(&cordon.iam, &attacker.name).await), attacked);
    for user in [&attacker, &holder] {
        user.creates_user(&format!("{}-again", user.name)).await?;
    }
    Ok(())
}
