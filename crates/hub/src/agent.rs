//! The HTTP agent: time-outs, proxies, trusted certificates.

use std::path::Path;

use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::{HubError, HubSettings};

/// An agent that follows no redirect by itself and takes every status as an answer.
pub(crate) fn agent(settings: &HubSettings) -> Result<Agent, HubError> {
    let patience = &settings.patience;
    let roots = settings.ca_file.as_deref().map_or(Ok(RootCerts::WebPki), read_roots)?;
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("longsight/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_resolve(Some(patience.connect_timeout))
        .timeout_connect(Some(patience.connect_timeout))
        .timeout_per_read(Some(patience.idle_timeout))
        .timeout_per_write(Some(patience.idle_timeout));
    if !settings.proxy_from_env {
        config = config.proxy(None);
    }
    Ok(config.build().new_agent())
}

fn read_roots(path: &Path) -> Result<RootCerts, HubError> {
    let pem =
        std::fs::read(path).map_err(|e| HubError::io("read the certificates of SSL_CERT_FILE,", path, e))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let problem = format!("{} holds no certificate", path.display());
        return Err(HubError::BadSetting { setting: "SSL_CERT_FILE", problem });
    }
    Ok(certificates.into())
}
