//! Neighbouring names: nothing around the function reaches the expansion.

use super::*;

mod renamed {
    pub(crate) use agenttrust as checked;
}

const SHARED_NAME: &str = "shared_name";

#[guarded(crate = renamed::checked, tool = SHARED_NAME)]
fn through_a_renamed_crate() -> Output<()> {
    Ok(())
}

mod shadows {
    #![allow(non_camel_case_types, dead_code, non_snake_case)]

    use super::guarded;

    mod agenttrust {}
    mod std {}
    mod core {}
    struct Result;
    struct Option;
    struct Box;
    fn Ok() {}
    fn Err() {}
    fn Some() {}
    fn drop() {}

    #[guarded(effect = "destructive", on_elevation = "wait")]
    pub(super) async fn shadowed(
        permit: u8,
        output: u8,
        capture: u8,
        error: u8,
    ) -> super::Output<u8> {
        let action = permit + output;
        let guard = capture + error;
        ::core::result::Result::Ok(action + guard)
    }
}

#[tokio::test]
async fn names_around_and_inside_the_function_do_not_reach_the_expansion() {
    let check = check_of(async { through_a_renamed_crate() }).await;
    assert_eq!(check["action_name"], "shared_name");
    let scripted = Scripted::says([Say::allowed()]);
    let sum = guard(&scripted).scope(shadows::shadowed(1, 2, 3, 4)).await.unwrap();
    assert_eq!(sum, 10);
}
