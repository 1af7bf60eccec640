//! One mistake a file, with the exact words of the compiler about it. One shape a file that compiles: nothing of it
//! runs without a permission, and all of it with one.

#[test]
fn every_mistake_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn every_shape_runs_with_a_permission_and_never_without() {
    crate::running::every_case();
}
