//! README and `docs/`: every example is good by the real programs, every command exists, every link leads somewhere, and
//! troubleshooting has an entry for each message.

#[path = "documents/examples.rs"]
mod examples;
#[path = "documents/links.rs"]
mod links;
#[path = "documents/messages.rs"]
mod messages;
#[path = "documents/pages.rs"]
mod pages;
