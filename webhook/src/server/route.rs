//! From a request's line to what it asks for.

use std::time::Duration;

use hyper::Uri;

/// The webhooks, one path each; the path's last part is also a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Pods, mutating.
    Pods,
    /// Endpoints, mutating without a patch: it speaks before the schema does.
    Explain,
    /// Endpoints, validating.
    Endpoints,
    /// Workloads, validating.
    Workloads,
}

impl Route {
    /// Every route.
    pub const ALL: [Route; 4] = [
        Route::Pods,
        Route::Explain,
        Route::Endpoints,
        Route::Workloads,
    ];

    /// The path that webhook configurations name.
    pub const fn path(self) -> &'static str {
        match self {
            Route::Pods => "/mutate/pods",
            Route::Explain => "/explain/endpoints",
            Route::Endpoints => "/validate/endpoints",
            Route::Workloads => "/validate/workloads",
        }
    }

    /// The label `webhook` of metrics and log lines.
    pub const fn label(self) -> &'static str {
        match self {
            Route::Pods => "pods",
            Route::Explain => "explain",
            Route::Endpoints => "endpoints",
            Route::Workloads => "workloads",
        }
    }

    /// The route of a path, whatever its query.
    pub fn parse(uri: &Uri) -> Option<Route> {
        Route::ALL
            .into_iter()
            .find(|route| route.path() == uri.path())
    }
}

/// The time that the API server gives an answer, from the query `?timeout=5s` that it appends.
pub fn timeout(uri: &Uri) -> Option<Duration> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("timeout="))
        .and_then(duration)
}

/// A duration as Go writes it: `5s`, `1m30s`, `500ms`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::{Route, timeout};
    use hyper::Uri;
    use std::time::Duration;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_query_is_no_part_of_the_path() {
        for route in Route::ALL {
            assert_eq!(Route::parse(&uri(route.path())), Some(route));
            assert_eq!(
                Route::parse(&uri(&format!("{}?timeout=5s", route.path()))),
                Some(route)
            );
        }
        for other in ["/", "/mutate", "/mutate/pods/", "/metrics"] {
            assert_eq!(Route::parse(&uri(other)), None, "{other}");
        }
    }

    #[test]
    fn the_timeout_is_read_as_go_writes_it() {
        for (query, wanted) in [
            ("timeout=5s", Some(Duration::from_secs(5))),
            ("a=b&timeout=1m30s", Some(Duration::from_secs(90))),
            ("timeout=500ms", Some(Duration::from_millis(500))),
            ("timeout=1.5s", Some(Duration::from_millis(1500))),
            ("timeout=0s", None),
            ("timeout=5", None),
            ("timeout=-5s", None),
            ("timeout=soon", None),
            ("timeout=", None),
            ("other=5s", None),
        ] {
            assert_eq!(timeout(&uri(&format!("/x?{query}"))), wanted, "{query}");
        }
        assert_eq!(timeout(&uri("/x")), None);
    }
}
