//! Metrics in the text format of Prometheus (0.0.4).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hostkit_core::route::DiskCacheStatus;

use super::histogram::{BOUNDS, Histogram, Sum};
use super::{AllSeries, Counts, Labels, Series};
use crate::cache::disk::Counts as DiskCounts;

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text that grows family by family.
#[derive(Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// Everything that is counted by route.
    pub(crate) fn routes(&mut self, all: &AllSeries) {
        // A route nobody asked anything of yet says nothing.
        let all: Vec<Arc<Series>> = all
            .sorted()
            .into_iter()
            .filter(|series| series.counts().next().is_some())
            .collect();
        self.family(
            "hostkit_proxy_requests_total",
            "counter",
            "Requests answered, by class of status.",
        );
        for series in &all {
            for class in 0..super::CLASSES {
                let count = series.sum(|counts| &counts.requests[class]);
                let labels = format!("{},code=\"{}xx\"", series.labels, class + 1);
                self.sample("hostkit_proxy_requests_total", &labels, count);
            }
        }
        self.bytes(
            &all,
            "hostkit_proxy_received_bytes_total",
            "Bytes of request bodies and tunnels from clients.",
            |counts| &counts.received,
        );
        self.bytes(
            &all,
            "hostkit_proxy_sent_bytes_total",
            "Bytes of answers' bodies and tunnels to clients.",
            |counts| &counts.sent,
        );
        self.durations(
            &all,
            "hostkit_proxy_request_duration_seconds",
            "From a request's head to the last byte of its answer.",
            |counts| &counts.duration,
        );
        self.durations(
            &all,
            "hostkit_proxy_upstream_duration_seconds",
            "Until the backend began its answer.",
            |counts| &counts.upstream,
        );
    }

    /// Requests that no route was found for.
    pub(crate) fn of_nobody(&mut self, series: &Series) {
        let name = "hostkit_proxy_unrouted_requests_total";
        self.family(
            name,
            "counter",
            "Requests answered that no route was found for, by class of status.",
        );
        for class in 0..super::CLASSES {
            let count = series.sum(|counts| &counts.requests[class]);
            self.sample(name, &format!("code=\"{}xx\"", class + 1), count);
        }
    }

    /// What is counted of answers on the disk.
    pub(crate) fn disk_cache(&mut self, status: &DiskCacheStatus, counts: &DiskCounts) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        for (name, kind, help, value) in [
            (
                "hostkit_proxy_cache_disk_hits_total",
                "counter",
                "Answers of the cache that were found on the disk.",
                of(&counts.hits),
            ),
            (
                "hostkit_proxy_cache_disk_written_total",
                "counter",
                "Answers that were written to the disk.",
                of(&counts.written),
            ),
            (
                "hostkit_proxy_cache_disk_dropped_total",
                "counter",
                "Answers that were not written because the disk did not keep up.",
                of(&counts.dropped),
            ),
            (
                "hostkit_proxy_cache_disk_broken_total",
                "counter",
                "Files of the cache that were not what was written, and were removed.",
                of(&counts.broken),
            ),
            (
                "hostkit_proxy_cache_disk_bytes",
                "gauge",
                "What the cache takes of the disk.",
                status.bytes,
            ),
            (
                "hostkit_proxy_cache_disk_addresses",
                "gauge",
                "Addresses that the disk has an answer for.",
                status.addresses,
            ),
            (
                "hostkit_proxy_cache_disk_on",
                "gauge",
                "Whether answers are kept on the disk now; not for a while after it failed.",
                u64::from(status.on),
            ),
        ] {
            self.number(name, kind, help, value);
        }
    }

    /// One number without labels.
    pub(crate) fn number(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    /// A number for each value of a label.
    pub(crate) fn by<'a>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.family(name, kind, help);
        for (value, number) in values {
            self.sample(name, &format!("{label}=\"{}\"", Escaped(value)), number);
        }
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    fn bytes(
        &mut self,
        all: &[Arc<Series>],
        name: &str,
        help: &str,
        which: impl Fn(&Counts) -> &super::Counter,
    ) {
        self.family(name, "counter", help);
        for series in all {
            self.sample(name, &series.labels.to_string(), series.sum(&which));
        }
    }

    fn durations(
        &mut self,
        all: &[Arc<Series>],
        name: &str,
        help: &str,
        which: impl Fn(&Counts) -> &Histogram,
    ) {
        self.family(name, "histogram", help);
        for series in all {
            let sum = Sum::of(series.counts().map(&which));
            let labels = &series.labels;
            let ends = BOUNDS.iter().map(|(_, text)| *text).chain(["+Inf"]);
            for (end, count) in ends.zip(sum.up_to) {
                self.line(format_args!("{name}_bucket{{{labels},le=\"{end}\"}} {count}"));
            }
            let (whole, rest) = (sum.micros / 1_000_000, sum.micros % 1_000_000);
            self.line(format_args!("{name}_sum{{{labels}}} {whole}.{rest:06}"));
            self.line(format_args!("{name}_count{{{labels}}} {}", sum.count()));
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.0, "{text}").ok();
    }
}

impl std::fmt::Display for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "route=\"{}\",project=\"{}\",environment=\"{}\",process=\"{}\"",
            Escaped(&self.route),
            Escaped(&self.project),
            Escaped(&self.environment),
            Escaped(&self.process)
        )
    }
}

/// The value of a label as the format wants it.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\\' | '"' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
