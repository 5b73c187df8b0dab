//! What a person does with endpoints and apps, in a cluster that has the chart. The stories run side by side.

mod resources;
mod workloads;
mod methods;
mod changes;
mod outages;
mod drift;
