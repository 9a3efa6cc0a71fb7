//! A change is made by the role that may make it, as the very call that was planned.
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cordon_core::{AccountId, Call, Principal, PrincipalKind};
use cordon_respond::authorised::{CALLS, Rights};
use cordon_respond::divided::{Divided, Hands, perform};
use cordon_respond::powers::Power;
use cordon_respond::{Iam as _, IamError, IamErrorKind, call};
use cordon_testkit::{FakeIam, run};

fn owner() -> AccountId {
    "111111111111".parse().unwrap()
}

/// Notes what it is asked to make.
#[derive(Default)]
struct Noted(Mutex<Vec<(Power, Call)>>);

#[async_trait]
impl Hands for Noted {
    async fn make(&self, power: Power, call: &Call) -> Result<(), IamError> {
        self.0.lock().unwrap().push((power, call.clone()));
        Ok(())
    }
}

#[test]
fn every_call_of_the_table_goes_through_the_port_to_its_role_and_is_the_same_call() {
    let user = Principal::new(PrincipalKind::User, owner(), "u");
    let role = Principal::new(PrincipalKind::Role, owner(), "r");
    let group = Principal::new(PrincipalKind::Group, owner(), "g");
    let mut calls = vec![
        call::set_trust_policy("r", "{}"),
        call::set_access_key("u", "AKIA", false),
        call::set_access_key("u", "AKIA", true),
        call::delete_login_profile("u"),
        call::remove_from_group("u", "g"),
        call::set_default_policy_version("p", "v1"),
        call::delete_policy_version("p", "v1"),
        call::start_logging("t"),
        call::put_event_selectors("t", "{}"),
    ];
    for principal in [&user, &role, &group] {
        calls.extend([
            call::attach_policy(principal, "p"),
            call::detach_policy(principal, "p"),
            call::put_inline_policy(principal, "n", "{}"),
            call::delete_inline_policy(principal, "n"),
        ]);
    }
    for principal in [&user, &role] {
        calls.extend([call::set_boundary(principal, "p"), call::delete_boundary(principal)]);
        calls.extend([call::tag(principal, "k", "v"), call::untag(principal, "k")]);
    }
    for row in CALLS.iter().filter(|row| row.rights == Rights::Remediator) {
        assert!(calls.iter().any(|call| call.action == row.action), "{} is not tried", row.action);
    }
    for call in calls {
        let noted = Arc::new(Noted::default());
        let hands: Arc<dyn Hands> = Arc::<Noted>::clone(&noted);
        let divided = Divided { reader: Arc::new(FakeIam::new(owner())), hands };
        run(perform(&divided, &owner(), &call)).unwrap();
        assert_eq!(*noted.0.lock().unwrap(), [(Power::of(&call).unwrap(), call.clone())]);
    }
}

#[test]
fn a_call_for_a_person_and_one_of_nobody_are_refused() {
    let divided = Divided { reader: Arc::new(FakeIam::new(owner())), hands: Arc::new(Noted::default()) };
    assert_eq!(run(divided.add_to_group("u", "g")).unwrap_err().kind(), IamErrorKind::AccessDenied);
    for call in [Call::new("iam:CreateUser", [("UserName", "u")]), Call::new("iam:AttachUserPolicy", [("UserName", "u")])] {
        assert_eq!(run(perform(&divided, &owner(), &call)).unwrap_err().kind(), IamErrorKind::Other, "{call}");
    }
}
