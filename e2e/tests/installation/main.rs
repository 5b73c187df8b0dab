//! What happens to the installation itself: replicas that go, foreign webhooks, rights. One story after the other, as
//! all of them have the one webhook of the cluster.

mod reach;
mod replicas;
mod certificates;
mod conflicts;
mod hostile;
mod rights;
