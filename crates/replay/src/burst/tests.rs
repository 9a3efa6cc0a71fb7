use super::*;

#[test]
fn an_id_is_kept_to_the_letter() {
    for text in [
        "0a1b2c3d-0000-4000-8000-00000000000f",
        "00000000-0000-0000-0000-000000000000",
        "0A1B2C3D-0000-4000-8000-00000000000F",
        "0a1b2c3d0000400080000000000000000f",
        "+a1b2c3d-0000-4000-8000-00000000000f",
        "0a1b2c3d-0000-4000-8000-00000000000f1",
        "e-1",
        "-",
    ] {
        let id: EventId = text.parse().unwrap();
        assert_eq!(Id::new(id.clone()).event_id(), id);
    }
    assert!(matches!(Id::new("0a1b2c3d-0000-4000-8000-00000000000f".parse().unwrap()), Id::Uuid(_)));
    assert!(matches!(Id::new("0A1B2C3D-0000-4000-8000-00000000000F".parse().unwrap()), Id::Other(_)));
}

#[test]
fn a_noted_event_is_as_small_as_it_is_said_to_be() {
    assert_eq!((size_of::<LedgerEvent>(), size_of::<LedgerEntry>()), (64, 16));
}

#[test]
fn what_comes_again_has_its_number() {
    let mut texts = Numbered::default();
    assert_eq!(["a", "b", "a"].map(|text| texts.number(text)), [(0, true), (1, true), (0, false)]);
    assert_eq!(texts.in_order(), [&"a", &"b"]);
}
