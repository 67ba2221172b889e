//! Fetching from allowed hosts, and never from where only the server can reach: the address that a name resolves to is checked
//! where it is resolved, so that no second answer of a name server can slip in between; redirects are not followed.

use crate::blocking::Left;
use crate::echo::echo;
use crate::heeding::Heeding;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector, NextTimeout, RustlsConnector, TcpConnector};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const READ_LIMIT: Duration = Duration::from_secs(30);

/// Why nothing was fetched.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// For the client.
    Refused(String),
    /// What the system says of the file that the bytes go to.
    Io(std::io::Error),
}

impl From<String> for FetchError {
    fn from(message: String) -> Self {
        Self::Refused(message)
    }
}

/// Writes the bytes at `url` to `out`. Ends soon where `left` says that nobody waits for them any more.
pub(crate) fn fetch(
    url: &str,
    allowed_hosts: &[String],
    limit_bytes: u64,
    left: &Left,
    out: &mut dyn Write,
) -> Result<(), FetchError> {
    let uri: Uri = url.parse().map_err(|_| format!("{}: not an address", echo(url)))?;
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let shown = echo(&host);
    if !is_named(&uri, &host, &bare, allowed_hosts) {
        return Err(
            format!("{shown}: not a host that this server fetches from; upload the file instead").into()
        );
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("an address with a user name is not fetched".to_owned().into());
    }
    // An operator who names an address itself means it.
    let any = bare.parse::<IpAddr>().is_ok();
    let response = agent(any, left).get(url).call();
    let mut response = response.map_err(|e| format!("{shown}: {}", echo(&e.to_string())))?;
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        return Err(format!("{shown} answers with a redirect ({status}), which is not followed").into());
    }
    if status != 200 {
        return Err(format!("{shown} answers {status}").into());
    }
    let mut body = response.body_mut().as_reader();
    let (mut bytes, mut piece) = (0u64, vec![0; 64 << 10]);
    loop {
        let read = body.read(&mut piece).map_err(|e| format!("{shown}: {e}"))?;
        if read == 0 {
            return Ok(());
        }
        bytes += read as u64;
        if bytes > limit_bytes {
            return Err(format!("{shown}: more than the {limit_bytes} bytes allowed").into());
        }
        if left.has_left() {
            return Err("the client has left".to_owned().into());
        }
        out.write_all(&piece[..read]).map_err(FetchError::Io)?;
    }
}

/// Whether the operator allows the host.
fn is_named(uri: &Uri, host: &str, bare: &str, allowed_hosts: &[String]) -> bool {
    let with_port = uri.port_u16().map(|port| format!("{host}:{port}"));
    allowed_hosts.iter().any(|allowed| {
        let allowed = allowed.to_ascii_lowercase();
        allowed == host || allowed == bare || Some(&allowed) == with_port.as_ref()
    })
}

/// Asks public addresses, or any.
fn agent(any: bool, left: &Left) -> Agent {
    let resolver = Public { any, inner: DefaultResolver::default() };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("longsight/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT_LIMIT))
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_per_read(Some(READ_LIMIT))
        .build();
    let connector =
        ().chain(TcpConnector::default()).chain(Heeding(left.clone())).chain(RustlsConnector::default());
    Agent::with_parts(config, connector, resolver)
}

/// Resolves to public addresses only.
struct Public {
    /// Lets every address through.
    any: bool,
    inner: DefaultResolver,
}

impl std::fmt::Debug for Public {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Public").field("any", &self.any).finish_non_exhaustive()
    }
}

impl Resolver for Public {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let hidden = |address: &SocketAddr| !is_public(address.ip());
        if !self.any && found.iter().any(hidden) {
            let message = "the name stands for an address that is not public";
            return Err(ureq::Error::Io(std::io::Error::new(std::io::ErrorKind::PermissionDenied, message)));
        }
        Ok(found)
    }
}

/// Whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

/// Not those of RFC 6890: this network, private, carrier NAT, loopback, link-local, benchmarks, documentation, reserved.
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

/// Global unicast (2000::/3), without the parts that reach into IPv4 or are for documentation.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let first = v6.segments()[0];
    let second = v6.segments()[1];
    (0x2000..0x4000).contains(&first)
        && first != 0x2002
        && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for hidden in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "ff02::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_public(hidden.parse().unwrap()), "{hidden}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "172.32.0.1", "100.128.0.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn hosts_that_are_not_named_are_not_asked() {
        let refused = |url: &str, hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            match fetch(url, &hosts, 1000, &Left::default(), &mut Vec::new()) {
                Err(FetchError::Refused(message)) => message,
                other => panic!("{other:?}"),
            }
        };
        assert!(
            refused("http://example.org/a.mp4", &[]).contains("not a host that this server fetches from")
        );
        assert!(refused("http://example.org.evil.net/", &["example.org"]).contains("not a host"));
        assert!(refused("http://example.org@127.0.0.1/", &["example.org"]).contains("not a host"));
        assert!(refused("http://user@example.org/", &["example.org"]).contains("user name"));
        assert!(refused("http://localhost:9/", &["localhost"]).contains("not public"));
        assert!(refused("http://[::1]:9/", &["localhost"]).contains("not a host"));
        assert!(refused("http://0x7f000001/", &["0x7f000001"]).contains("0x7f000001"));
    }
}
