//! What the fuzz targets check, apart from libFuzzer: `make fuzz` runs them.

pub mod codec;
pub mod session;
pub mod seeds;
