//! The harness of the integration tests: brokers, mounts, apps.
