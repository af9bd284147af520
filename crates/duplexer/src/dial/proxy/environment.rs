//! Proxies as environment variables name them. A pure function of a look-up; only [`lookup`] sees this process's environment.
//!
//! There is no standard. For `wss` these count, in this order: `wss_proxy`, `https_proxy`, `all_proxy`; for `ws`: `ws_proxy`,
//! `http_proxy`, `all_proxy`. Each is looked for in lower case, then in upper case; an empty one is none. `HTTP_PROXY` is not
//! looked at under CGI, where a header of a request may have set it. `no_proxy` goes before all of them.
//! hyper-util's matcher is not used: it knows neither `wss_proxy` nor `ws_proxy`, begins with upper case, drops a malformed URL
//! in silence, and under CGI looks at nothing.

use crate::dial::proxy::bypass::Bypass;
use crate::dial::proxy::url::{Choice, ProxyUrl};

/// What the environment says.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) wss: Option<Choice>,
    pub(super) ws: Option<Choice>,
    pub(super) bypass: Bypass,
}

impl Environment {
    /// Reads it. A URL that is malformed is an error for whoever needs that proxy: going without one might be worse.
    pub(super) fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let under_cgi = lookup("REQUEST_METHOD").is_some();
        let first = |names: &[&'static str]| {
            let allowed = names.iter().filter(|name| !(under_cgi && **name == "HTTP_PROXY"));
            allowed.copied().find_map(|name| Some((name, lookup(name)?)))
        };
        let choose = |names: &[&'static str]| {
            let (named_by, value) = first(names)?;
            Some(Choice { named_by, url: ProxyUrl::parse(&value) })
        };
        let bypass = first(&["no_proxy", "NO_PROXY"]);
        Self {
            wss: choose(&WSS),
            ws: choose(&WS),
            bypass: bypass.map(|(_, list)| Bypass::parse(&list)).unwrap_or_default(),
        }
    }
}

/// This process's environment.
pub(super) fn lookup(name: &str) -> Option<String> {
    // What is not Unicode becomes a malformed URL, and so an error that is told.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

const WSS: [&str; 6] =
    ["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const WS: [&str; 6] =
    ["ws_proxy", "WS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Which variables name the proxies for `wss` and for `ws`.
    fn named(variables: &[(&str, &str)]) -> (Option<&'static str>, Option<&'static str>) {
        let found = Environment::read(|name| {
            let of_name = variables.iter().find(|(variable, _)| *variable == name);
            of_name.map(|(_, value)| (*value).to_owned())
        });
        let name = |choice: Option<Choice>| choice.map(|choice| choice.named_by);
        (name(found.wss), name(found.ws))
    }

    #[test]
    fn the_order_of_the_variables() {
        let all: Vec<_> = WSS.iter().chain(&WS[..4]).map(|name| (*name, "http://h")).collect();
        // Each variable counts where those before it are not set.
        for (order, wss) in [(WSS, true), (WS, false)] {
            for (index, name) in order.into_iter().enumerate() {
                let left = |(variable, _): &&(&str, &str)| !order[..index].contains(variable);
                let left: Vec<_> = all.iter().filter(left).copied().collect();
                let (for_wss, for_ws) = named(&left);
                assert_eq!(if wss { for_wss } else { for_ws }, Some(name));
            }
        }
    }

    #[test]
    fn variables_of_the_other_scheme_do_not_count() {
        let set = |name| [(name, "http://h")];
        for (name, wss, ws) in [
            ("wss_proxy", true, false),
            ("https_proxy", true, false),
            ("ws_proxy", false, true),
            ("http_proxy", false, true),
            ("all_proxy", true, true),
            ("Https_Proxy", false, false),
            ("proxy", false, false),
        ] {
            let (for_wss, for_ws) = named(&set(name));
            assert_eq!((for_wss.is_some(), for_ws.is_some()), (wss, ws), "{name}");
        }
        assert_eq!(named(&[]), (None, None));
    }

    #[test]
    fn an_empty_variable_is_none() {
        for empty in ["", " "] {
            let upper = [("https_proxy", empty), ("HTTPS_PROXY", "h"), ("wss_proxy", empty)];
            assert_eq!(named(&upper), (Some("HTTPS_PROXY"), None));
        }
    }

    #[test]
    fn under_cgi_a_request_cannot_name_a_proxy() {
        // A request's header `Proxy` becomes HTTP_PROXY there.
        let header = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil")];
        assert_eq!(named(&header), (None, None));
        let both = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil"), ("all_proxy", "good")];
        assert_eq!(named(&both), (Some("all_proxy"), Some("all_proxy")));
        let lower = [("REQUEST_METHOD", "GET"), ("http_proxy", "good")];
        assert_eq!(named(&lower).1, Some("http_proxy"));
    }

    #[test]
    fn a_malformed_url_is_kept_as_an_error() {
        let read = Environment::read(|name| (name == "https_proxy").then(|| "ftp://h".to_owned()));
        assert!(read.wss.is_some_and(|choice| choice.url.is_err()));
    }

    #[test]
    fn the_list_of_hosts_is_lower_case_first() {
        let read = Environment::read(|name| match name {
            "no_proxy" => Some("lower.example".to_owned()),
            "NO_PROXY" => Some("upper.example".to_owned()),
            _ => None,
        });
        assert!(read.bypass.contains("lower.example", 80));
        assert!(!read.bypass.contains("upper.example", 80));
        let read = Environment::read(|name| (name == "NO_PROXY").then(|| "*".to_owned()));
        assert!(read.bypass.contains("upper.example", 80));
    }
}
