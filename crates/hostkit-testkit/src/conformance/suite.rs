//! How a suite becomes tests of an implementation.

/// One `tokio` test for each named function of a suite, with an attribute: `[cfg(test)]` where it may always run,
/// `[ignore = "…"]` where it needs what not every machine has.
#[macro_export]
macro_rules! suite_tests {
    ($attribute:tt, $fixture:expr, $suite:ident: $($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #$attribute
            async fn $name() {
                let fixture = $fixture;
                $crate::conformance::$suite::$name(&fixture).await;
            }
        )*
    };
}
