//! Every remedy on every kind of target, with changes that others may have made before.

use std::fmt;

use cordon_core::incident::EventFacts;
use cordon_core::{Former, PrincipalKind, Purpose, RemedyKind, Target};

use super::policy_name;
use crate::fake_iam::{FakeIam, TRUST, inline_quota};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
const LIMIT: &str = "arn:aws:iam::111111111111:policy/limit";
const LOOSE: &str = "arn:aws:iam::111111111111:policy/loose";
const BACKDOOR: &str = "{ \"Version\" : \"2012-10-17\",\n \"Statement\": [] }";
const OUTSIDE: &str = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}],"Version":"2012-10-17"}"#;
const SELECTORS: &str = r#"{"eventSelectors":[{"readWriteType":"All"}]}"#;
const NARROW: &str = r#"{"eventSelectors":[{"readWriteType":"ReadOnly"}]}"#;

/// The kind of thing that a remedy is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A user.
    User,
    /// A role.
    Role,
    /// A group.
    Group,
    /// A managed policy.
    Policy,
    /// A trail.
    Trail,
}

/// One remedy on one kind of thing.
#[derive(Clone, Copy)]
pub struct Case {
    /// The remedy.
    pub remedy: RemedyKind,
    /// The kind of thing it is tried on.
    pub on: Thing,
    /// The purpose that it is planned for.
    pub purpose: Purpose,
    /// The changes of others before the plan was made.
    pub given: fn(&FakeIam, &Target),
    /// The facts of the event.
    pub event: fn(&mut EventFacts),
    /// The difference to the other cases of the remedy, in a few words.
    pub name: &'static str,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on a {:?}: {}", self.remedy, self.on, self.name)
    }
}

impl Case {
    /// The remedy on a thing that nobody changed.
    #[must_use]
    pub fn new(remedy: RemedyKind, on: Thing) -> Self {
        Self { remedy, on, purpose: Purpose::Revert, given: |_, _| {}, event: |_| {}, name: "as it is" }
    }

    /// After others changed the thing.
    #[must_use]
    pub fn given(self, name: &'static str, given: fn(&FakeIam, &Target)) -> Self {
        Self { name, given, ..self }
    }

    /// With an event that says more.
    #[must_use]
    pub fn event(self, event: fn(&mut EventFacts)) -> Self {
        Self { event, ..self }
    }

    /// Planned to stop the actor.
    #[must_use]
    pub fn contain(self) -> Self {
        Self { purpose: Purpose::Contain, ..self }
    }

    /// The target, with more on it than any remedy is about.
    pub(super) fn make(&self, iam: &FakeIam) -> Target {
        let kind = match self.on {
            Thing::User => PrincipalKind::User,
            Thing::Role => PrincipalKind::Role,
            Thing::Group => PrincipalKind::Group,
            Thing::Policy => {
                return Target::Policy { policy: iam.add_policy("iam-test-target", &["{\"v\":1}", "{ \"v\" : 2 }"]) };
            }
            Thing::Trail => return Target::Trail { trail: iam.add_trail("iam-test-target", true, Some(SELECTORS)) },
        };
        let target = iam.add(kind, "/division/", "iam-test-target");
        iam.attach(&target, READ_ONLY);
        iam.put_inline(&target, "own", "{\n  \"Version\": \"2012-10-17\" }");
        iam.tag(&target, "team", "blue");
        Target::Principal(target)
    }
}

/// Every remedy on every kind of thing that it works on.
#[must_use]
pub fn cases() -> Vec<Case> {
    RemedyKind::ALL.iter().flat_map(|remedy| cases_of(*remedy)).collect()
}

fn cases_of(remedy: RemedyKind) -> Vec<Case> {
    match remedy {
        RemedyKind::DetachPolicy => attached(remedy),
        RemedyKind::RemoveInlinePolicy => written(remedy),
        RemedyKind::DenyIam => iam_denied(remedy),
        RemedyKind::DenyAll => everything_denied(remedy),
        RemedyKind::DisableCreatedPrincipal => created(remedy),
        RemedyKind::RevokeSessions => sessions_denied(remedy),
        RemedyKind::SetPermissionsBoundary => bounded(remedy),
        RemedyKind::RestorePermissionsBoundary => boundary_changed(remedy),
        RemedyKind::DeactivateAccessKey => keys_made(remedy),
        RemedyKind::RemoveFromGroup => joined(remedy),
        RemedyKind::DisableLoginProfile | RemedyKind::DeleteLoginProfile => with_password(remedy),
        RemedyKind::RestoreTrustPolicy => opened(remedy),
        RemedyKind::RestoreExceptionTag => tagged(remedy),
        RemedyKind::RestorePolicyVersion => version_chosen(remedy),
        RemedyKind::DeletePolicyVersion => version_made(remedy),
        RemedyKind::RestartLogging => stopped(remedy),
    }
}

fn each(remedy: RemedyKind, things: &[Thing]) -> Vec<Case> {
    things.iter().map(|on| Case::new(remedy, *on)).collect()
}

const PRINCIPALS: [Thing; 3] = [Thing::User, Thing::Role, Thing::Group];
const USER_AND_ROLE: [Thing; 2] = [Thing::User, Thing::Role];

fn attach(iam: &FakeIam, target: &Target, arn: &str) {
    target.principal().into_iter().for_each(|target| iam.attach(target, arn));
}

fn put_inline(iam: &FakeIam, target: &Target, name: &str, document: &str) {
    target.principal().into_iter().for_each(|target| iam.put_inline(target, name, document));
}

fn change(iam: &FakeIam, target: &Target, change: impl Fn(&mut crate::Entity)) {
    target.principal().into_iter().for_each(|target| iam.change(target, &change));
}

fn fill_inline(iam: &FakeIam, target: &Target) {
    let max = target.principal().map_or(0, |target| inline_quota(target.kind));
    put_inline(iam, target, "full", &"x".repeat(max - 100));
}

fn fill_everything(iam: &FakeIam, target: &Target) {
    fill_inline(iam, target);
    (1..FakeIam::ATTACHED_QUOTA).for_each(|n| attach(iam, target, &format!("arn:aws:iam::111111111111:policy/p{n}")));
}

fn former(event: &mut EventFacts, value: Option<&str>) {
    event.touched.former = Some(Former {
        value: value.map(str::to_owned),
        by: "arn:aws:iam::111111111111:role/deploy".to_owned(),
        at: None,
        event: "earlier".to_owned(),
    });
}

fn attached(remedy: RemedyKind) -> Vec<Case> {
    let attached: fn(&FakeIam, &Target) = |iam, target| attach(iam, target, super::ADMIN);
    each(remedy, &PRINCIPALS).into_iter().map(|case| case.given("attached", attached)).collect()
}

fn written(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &PRINCIPALS) {
        let written = case.given("written", |iam, target| put_inline(iam, target, "backdoor", BACKDOOR));
        cases.push(written.event(|event| {
            event.touched.policy_name = Some("backdoor".to_owned());
            event.touched.document = Some(BACKDOOR.to_owned());
        }));
        let replaced = case.given("replaced", |iam, target| put_inline(iam, target, "backdoor", BACKDOOR));
        cases.push(replaced.event(|event| {
            event.touched.policy_name = Some("backdoor".to_owned());
            former(event, Some("{ \"former\":\n1}"));
        }));
    }
    cases
}

fn iam_denied(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &USER_AND_ROLE) {
        cases.push(case);
        cases.push(case.given("a policy of our name", |iam, target| {
            put_inline(iam, target, &policy_name(), "{ \"Version\" :\n\"x\" }");
        }));
        cases.push(case.given("no room inline", fill_inline));
    }
    cases
}

/// Every place in which a deny on everything finds room.
fn everything_denied(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &USER_AND_ROLE) {
        let created: fn(&mut EventFacts) = |event| event.name = "CreateUser".to_owned();
        cases.push(case.event(created));
        cases.push(case.given("no room inline", fill_inline).event(created));
        cases.push(case.given("no room inline and ten attached", fill_everything).event(created));
        let bounded = case.given("no room, and a boundary", |iam, target| {
            fill_everything(iam, target);
            change(iam, target, |entity| entity.boundary = Some(LIMIT.to_owned()));
        });
        cases.push(bounded.event(created));
    }
    cases
}

/// In every place that has room: its own document, or the deny of everything.
fn sessions_denied(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &USER_AND_ROLE) {
        cases.push(case.contain());
        cases.push(case.contain().given("no room inline", fill_inline));
        cases.push(case.contain().given("no room inline and ten attached", fill_everything));
    }
    cases
}

fn created(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = everything_denied(remedy);
    cases.push(Case::new(remedy, Thing::User).given("with keys", keys).event(|event| {
        event.name = "CreateUser".to_owned();
    }));
    cases
}

fn bounded(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &USER_AND_ROLE) {
        cases.push(case.contain());
        cases.push(case.contain().given("a boundary", |iam, target| {
            change(iam, target, |entity| entity.boundary = Some(LIMIT.to_owned()));
        }));
    }
    cases
}

fn boundary_changed(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &USER_AND_ROLE) {
        cases.push(case.given("taken off", |_, _| {}).event(|event| former(event, Some(LIMIT))));
        let loose: fn(&FakeIam, &Target) = |iam, target| change(iam, target, |entity| entity.boundary = Some(LOOSE.to_owned()));
        cases.push(case.given("loosened", loose).event(|event| {
            event.touched.boundary_arn = Some(LOOSE.to_owned());
            former(event, Some(LIMIT));
        }));
        cases.push(case.given("put where there was none", loose).event(|event| {
            event.touched.boundary_arn = Some(LOOSE.to_owned());
            former(event, None);
        }));
    }
    cases
}

fn keys(iam: &FakeIam, target: &Target) {
    if let Some(target) = target.principal() {
        iam.add_key(target, "AKIA1", "2026-01-01T00:00:00Z");
        iam.add_key(target, "AKIA2", super::NOW);
        iam.add_key(target, "AKIA3", "2026-01-01T00:00:00Z");
    }
    change(iam, target, |entity| entity.keys.values_mut().skip(2).for_each(|key| key.active = false));
}

fn keys_made(remedy: RemedyKind) -> Vec<Case> {
    let key = Case::new(remedy, Thing::User);
    vec![
        key.contain().given("all of the actor's", keys),
        key.given("the named one", keys).event(|event| event.touched.access_key_id = Some("AKIA1".to_owned())),
        key.given("the one of that moment", keys).event(|event| event.name = "CreateAccessKey".to_owned()),
    ]
}

fn joined(remedy: RemedyKind) -> Vec<Case> {
    let member = Case::new(remedy, Thing::User).given("in two groups", |iam, target| {
        change(iam, target, |entity| entity.groups.extend(["admins".to_owned(), "team".to_owned()]));
    });
    vec![member.event(|event| event.touched.group = Some("admins".to_owned()))]
}

fn with_password(remedy: RemedyKind) -> Vec<Case> {
    let password: fn(&FakeIam, &Target) = |iam, target| change(iam, target, |entity| entity.login_profile = true);
    let mut cases = vec![Case::new(remedy, Thing::User).given("a password", password)];
    if remedy == RemedyKind::DisableLoginProfile {
        let user = Case::new(remedy, Thing::User);
        cases.push(user.given("a password, and no room inline", |iam, target| {
            fill_inline(iam, target);
            change(iam, target, |entity| entity.login_profile = true);
        }));
        cases.push(user.given("a password, no room inline and ten attached", |iam, target| {
            fill_everything(iam, target);
            change(iam, target, |entity| entity.login_profile = true);
        }));
    }
    cases
}

fn opened(remedy: RemedyKind) -> Vec<Case> {
    let trust: fn(&FakeIam, &Target) = |iam, target| change(iam, target, |entity| entity.trust = Some(OUTSIDE.to_owned()));
    let opened = Case::new(remedy, Thing::Role);
    vec![
        opened.given("the former is known", trust).event(|event| {
            event.touched.document = Some(OUTSIDE.to_owned());
            former(event, Some(TRUST));
        }),
        opened.given("the former is not known", trust).event(|event| {
            event.touched.document = Some(OUTSIDE.to_owned());
            event.touched.outside_statements = vec![0];
        }),
    ]
}

fn tagged(remedy: RemedyKind) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in each(remedy, &USER_AND_ROLE) {
        let tagged: fn(&FakeIam, &Target) = |iam, target| {
            change(iam, target, |entity| drop(entity.tags.insert("SecurityApproved".to_owned(), "true".to_owned())));
        };
        cases.push(case.given("set, and not known what was before", tagged).event(set_tag));
        cases.push(case.given("overwritten", tagged).event(|event| {
            set_tag(event);
            former(event, Some("no"));
        }));
        cases.push(case.given("taken off", |_, _| {}).event(|event| {
            event.touched.tags_removed = vec!["SecurityApproved".to_owned()];
            former(event, Some("true"));
        }));
    }
    cases
}

fn set_tag(event: &mut EventFacts) {
    event.touched.tags_set.insert("SecurityApproved".to_owned(), "true".to_owned());
}

fn version_chosen(remedy: RemedyKind) -> Vec<Case> {
    let restore = Case::new(remedy, Thing::Policy);
    vec![
        restore.given("made by the event", |_, _| {}).event(|event| {
            event.name = "CreatePolicyVersion".to_owned();
            event.touched.version_id = Some("v2".to_owned());
        }),
        restore.given("known by its document alone", |_, _| {}).event(|event| {
            event.name = "CreatePolicyVersion".to_owned();
            event.touched.document = Some("{\"v\":2}".to_owned());
        }),
        restore
            .given("chosen by the event, of three", |iam, target| {
                if let Target::Policy { policy } = target {
                    iam.change_policy(policy, |policy| {
                        policy.versions.insert(3, "{\"v\":3}".to_owned());
                        policy.next = 4;
                    });
                }
            })
            .event(|event| {
                event.name = "SetDefaultPolicyVersion".to_owned();
                event.touched.version_id = Some("v2".to_owned());
                former(event, Some("v3"));
            }),
    ]
}

fn version_made(remedy: RemedyKind) -> Vec<Case> {
    let made = Case::new(remedy, Thing::Policy).given("no longer the default", |iam, target| {
        if let Target::Policy { policy } = target {
            iam.change_policy(policy, |policy| policy.default_version = "v1".to_owned());
        }
    });
    vec![made.event(|event| {
        event.name = "CreatePolicyVersion".to_owned();
        event.touched.version_id = Some("v2".to_owned());
    })]
}

fn stopped(remedy: RemedyKind) -> Vec<Case> {
    let stopped = Case::new(remedy, Thing::Trail);
    let narrowed: fn(&mut EventFacts) = |event| {
        event.touched.selectors = Some(NARROW.to_owned());
        former(event, Some(SELECTORS));
    };
    vec![
        stopped.given("stopped", |iam, _| drop(iam.add_trail("iam-test-target", false, Some(SELECTORS)))),
        stopped.given("narrowed", |iam, _| drop(iam.add_trail("iam-test-target", true, Some(NARROW)))).event(narrowed),
        stopped
            .given("stopped and narrowed", |iam, _| drop(iam.add_trail("iam-test-target", false, Some(NARROW))))
            .event(narrowed),
    ]
}
