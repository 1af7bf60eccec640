//! The attribute, on whatever it stands.

use proc_macro2::TokenStream;
use quote::quote;

use crate::block;
use crate::expand::expand;

/// Returns the guarded function or `impl` block, or the errors and the item as it was, so that
/// nothing else turns red.
pub(crate) fn guarded(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if block::is_block(&item) {
        return block::guarded(arguments, item);
    }
    match expand(arguments, item.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let errors = error.into_compile_error();
            quote!(#errors #item)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(arguments: TokenStream, item: &TokenStream) -> String {
        let expanded = guarded(arguments, item.clone()).to_string();
        let untouched = item.to_string();
        assert!(expanded.ends_with(&untouched), "{expanded}\ndoes not end with\n{untouched}");
        expanded.strip_suffix(&untouched).unwrap().to_owned()
    }

    #[test]
    fn an_item_with_an_error_is_emitted_untouched_after_it() {
        let item = quote!(
            #[must_use]
            pub const fn tool(mut a: u8) -> Result<u8, Error> {
                Ok(a)
            }
        );
        let errors = errors(quote!(efect = "read"), &item);
        assert_eq!(errors.matches("compile_error").count(), 2, "{errors}");
    }

    #[test]
    fn c_variadic_arguments_are_refused() {
        let item = quote!(
            unsafe extern "C" fn tool(n: u8, ...) -> Result<u8, Error> {
                Ok(n)
            }
        );
        assert!(errors(quote!(), &item).contains("C-variadic"));
    }

    #[test]
    fn whatever_the_tokens_are_there_is_an_answer() {
        let attributes = [
            quote!(),
            quote!(=),
            quote!(,),
            quote!(effect =),
            quote!(effect = effect = "read"),
            quote!(skip((a))),
            quote!(input[a]),
            quote!(tool = |),
            quote!(crate),
            quote!(crate = ::),
            quote!(on_denied = |error|),
            quote!(scopes("a" "b")),
            quote!(skip, skip),
        ];
        let items = [
            quote!(),
            quote!(;),
            quote!(fn),
            quote!(fn tool),
            quote!(fn tool()),
            quote!(fn tool() ->;),
            quote!(fn tool(a) {}),
            quote!(fn tool() -> u8 = 5;),
            quote!(async),
            quote!(pub),
            quote!(#[a]),
            quote!(
                fn tool() {}
                fn other() {}
            ),
            quote!(
                extern "C" {
                    fn tool();
                }
            ),
            quote!(let a = 1;),
            quote!(
                fn tool() -> impl {}
            ),
            quote!(fn tool(&&self) {}),
        ];
        for attribute in &attributes {
            for item in &items {
                assert!(
                    errors(attribute.clone(), item).contains("compile_error"),
                    "{attribute} {item}"
                );
            }
        }
    }
}
