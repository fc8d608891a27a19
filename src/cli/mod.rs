//! The command line: one file a command; `report` alone writes answers.

pub mod check;
pub mod report;
