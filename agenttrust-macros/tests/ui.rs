//! One mistake a file, with the exact words the compiler says about it; one shape a file that compiles
//! and, without any guard installed, runs nothing of its body.

#[test]
fn every_mistake_is_explained_and_every_shape_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
