//! The `journal` crate.
