//! The program `dataflow-webhook`, in the order a review meets it: [`server`] takes it, [`review`] tells what it is
//! about, [`inject`] and [`patch`], [`validate`] or [`workload`] decide, and the same uid goes back.
//!
//! Those three decide without IO and without a clock, so [`offline`] runs them on files. Beside reviews, [`controller`]
//! carries endpoints into the pods and writes their status, and [`events`] tells owners of pods what nobody else does.

pub mod args;
pub mod app;
pub mod server;
pub mod review;
pub mod inject;
pub mod patch;
pub mod validate;
pub mod workload;
pub mod store;
pub mod controller;
pub mod events;
pub mod authority;
pub mod offline;
pub mod plugin;
pub mod yaml;
pub mod text;
pub mod decisions;
pub mod admin;
pub mod metrics;
pub mod shutdown;
