//! The figures as tables.

use std::fs;

use anyhow::Result;
use tests::figures::{MIB, Spread, processor, quantile, table};

use super::Args;
use super::cluster::{Cluster, REST};
use super::reviews::{Reviews, Row};

/// What was measured.
pub(crate) struct Report {
    pub(crate) reviews: Reviews,
    pub(crate) cluster: Cluster,
    /// Of the minute before: whatever else ran took from the wall clock, and not from CPU time.
    pub(crate) load: String,
}

impl Report {
    /// The tables, which a terminal shows as well as a page does.
    pub(crate) fn markdown(&self) -> String {
        let mut rows = vec![cells([
            "what",
            "body, KiB",
            "p50, us",
            "p99, us",
            "p99.9, us",
            "own time, 99 % below, ms",
            "reviews a CPU second",
            "reviews a second here",
        ])];
        rows.extend(self.reviews.rows.iter().map(|row| review(row, row.name)));
        let cluster = &self.cluster;
        let name = format!("small pod, {} endpoints", cluster.endpoints);
        rows.push(review(&cluster.row, &name));
        rows.push(cells(["bar", "", "", "", "", "1", ">= 5000", ""]));
        let mut text = format!(
            "One review, from the first byte sent to the last received:\n\n{}",
            table(&rows)
        );
        text += &format!("\nMemory of the process, MiB:\n\n{}", table(&self.memory()));
        text += &format!(
            "\nA cluster of {} endpoints and {} injected pods:\n\n{}",
            cluster.endpoints,
            cluster.pods,
            table(&self.large())
        );
        text
    }

    fn memory(&self) -> Vec<Vec<String>> {
        let reviews = &self.reviews;
        vec![
            cells(["what", "resident", "bar"]),
            line(
                "one endpoint, before the first review",
                mib(reviews.idle_bytes),
                "<= 15",
            ),
            line("after all reviews", mib(reviews.loaded_bytes), "<= 15"),
            line("the most meanwhile", mib(reviews.most_bytes), ""),
        ]
    }

    fn large(&self) -> Vec<Vec<String>> {
        let cluster = &self.cluster;
        let seconds = |time: std::time::Duration| format!("{:.2}", time.as_secs_f64());
        vec![
            cells(["what", "figure", ""]),
            line(
                "start until every ConfigMap and status is written",
                seconds(cluster.settled),
                "s",
            ),
            line("CPU time of that", seconds(cluster.settling_cpu), "s"),
            line("resident then", mib(cluster.settled_bytes), "MiB"),
            line(
                "the most resident, reviews included",
                mib(cluster.most_bytes),
                "MiB",
            ),
            line(
                &format!("CPU time of {} s in which nothing happens", REST.as_secs()),
                seconds(cluster.idle_cpu),
                "s",
            ),
            line(
                "CPU time of a changed endpoint, its ConfigMap and status",
                format!("{:.2}", cluster.cpu_per_change.as_secs_f64() * 1e3),
                "ms",
            ),
        ]
    }

    /// The tables with what is needed to read them.
    pub(crate) fn page(&self, args: &Args, tables: &str) -> Result<String> {
        Ok(format!(
            "# Benchmarks of the webhook\n\n\
             `make bench-webhook` measures, `make bench-webhook WRITE=1` writes this page.\n\n{tables}\n\
             Times are of {} reviews, one each 5 ms on one connection with TLS 1.3, as whoever asks sees them. The webhook's own time is from its histogram, from the last byte of these reviews to the answer; \
             a bound of the histogram is given. Reviews a CPU second are what the webhook answers with one core to itself, TLS and its log line included: \
             the median (least to greatest) of {} rounds of {} reviews, of large pods a tenth, on four connections. Reviews a second here share the machine with whoever asks.\n\n\
             The large cluster is an API server in the benchmark's own process that answers lists in pages, follows watches and takes applies, at once and without authentication. \
             The webhook lists it, writes a ConfigMap and a status for each endpoint, and follows its changes as it does in a real one.\n\n\
             Measured on {} with Linux {}, and a load average of {} from other work when it began.\n",
            args.paced,
            args.rounds,
            args.reviews,
            processor()?,
            fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
            self.load,
        ))
    }
}

fn review(row: &Row, name: &str) -> Vec<String> {
    let us = |part| format!("{:.0}", quantile(&row.paced_us, part));
    let own: f64 = row.handler_p99.parse().unwrap_or(f64::NAN);
    vec![
        name.to_owned(),
        format!("{:.1}", row.body_bytes as f64 / 1024.0),
        us(0.5),
        us(0.99),
        us(0.999),
        format!("{}", own * 1e3),
        Spread::of(row.per_cpu_second.clone()).text(0),
        Spread::of(row.per_second.clone()).text(0),
    ]
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / MIB)
}

fn line(what: &str, figure: String, end: &str) -> Vec<String> {
    vec![what.to_owned(), figure, end.to_owned()]
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
