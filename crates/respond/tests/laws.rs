//! Every law, on every remedy.

use cordon_core::RemedyKind;
use cordon_respond::remedies;
use cordon_testkit::laws::{self, Case};

fn each(law: fn(&Case)) {
    laws::cases().iter().for_each(law);
}

/// The laws of undo, on whatever can be undone.
fn each_reversible(law: fn(&Case)) {
    laws::cases().iter().filter(|case| !is_irreversible(case)).for_each(law);
}

/// The one remedy that takes what AWS cannot give back. No other may say so.
fn is_irreversible(case: &Case) -> bool {
    case.remedy == RemedyKind::DeleteLoginProfile
}

#[test]
fn only_one_remedy_takes_what_cannot_be_given_back() {
    for case in laws::cases() {
        let step = laws::World::new(&case).plan.steps.remove(0);
        assert_eq!(step.irreversible.is_some(), is_irreversible(&case), "{case:?}");
    }
}

#[test]
fn what_cannot_be_undone_is_said_before_and_after() {
    laws::cases().iter().filter(|case| is_irreversible(case)).for_each(laws::what_cannot_be_undone_is_said_before_and_after);
}

#[test]
fn every_remedy_is_under_the_laws() {
    for kind in RemedyKind::ALL {
        assert!(laws::cases().iter().any(|case| case.remedy == *kind), "`{kind}` has no case");
        assert_eq!(remedies::remedy(*kind).kind(), *kind);
    }
}

#[test]
fn looking_changes_nothing() {
    each(laws::looking_changes_nothing);
}

#[test]
fn what_was_shown_is_what_is_made() {
    each_reversible(laws::what_was_shown_is_what_is_made);
}

#[test]
fn applying_twice_is_applying_once() {
    each(laws::applying_twice_is_applying_once);
}

#[test]
fn verifying_sees_the_change_and_its_absence() {
    each(laws::verifying_sees_the_change_and_its_absence);
}

#[test]
fn reverting_restores_byte_for_byte_and_twice_is_once() {
    each_reversible(laws::reverting_restores_byte_for_byte_and_twice_is_once);
}

#[test]
fn reverting_what_was_never_applied_changes_nothing() {
    each(laws::reverting_what_was_never_applied_changes_nothing);
}

#[test]
fn a_dry_run_says_what_undo_will_do_and_does_nothing() {
    each_reversible(laws::a_dry_run_says_what_undo_will_do_and_does_nothing);
}

#[test]
fn an_undone_step_is_never_touched_again() {
    each_reversible(laws::an_undone_step_is_never_touched_again);
}

#[test]
fn a_recreated_or_missing_principal_is_refused() {
    each(laws::a_recreated_or_missing_principal_is_refused);
}

#[test]
fn a_fault_anywhere_then_resuming_ends_right() {
    each(laws::a_fault_anywhere_then_resuming_ends_right);
}

#[test]
fn a_fault_anywhere_then_reverting_restores() {
    each_reversible(laws::a_fault_anywhere_then_reverting_restores);
}

#[test]
fn a_fault_while_reverting_then_reverting_again_restores() {
    each_reversible(laws::a_fault_while_reverting_then_reverting_again_restores);
}

#[test]
fn attack_3_what_another_incident_needs_survives_an_undo() {
    each_reversible(laws::what_another_incident_needs_survives_an_undo);
}

#[test]
fn attack_3_a_crash_anywhere_loses_no_containment_of_another_incident() {
    each_reversible(laws::a_crash_anywhere_loses_no_containment_of_another_incident);
}

#[test]
fn what_is_stripped_is_put_back_once() {
    each(laws::what_is_stripped_is_put_back_once);
}
