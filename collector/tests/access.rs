//! Who is let in: TLS, tokens, sessions, certificates, as clients meet them.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use collector::{Error, Listen, Options, Proof, Role, ServerTlsOptions, SessionPage};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::{anywhere, fed, serve};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

const TOKEN: &str = "read-0123456789abcdef";

/// Certificates of a server and of a client, and who vouches for both.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        files.write("ca.pem", &ca.pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            files.write(&format!("{name}.pem"), &params.signed_by(&key, &ca).unwrap().pem());
            files.write(&format!("{name}.key"), &key.serialize_pem());
        }
        files.write("token", TOKEN);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn pem(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Options with TLS on any port.
    fn options(&self) -> Options {
        let tls = ServerTlsOptions {
            certificate_file: Some(self.path("server.pem")),
            key_file: Some(self.path("server.key")),
            client_ca_file: None,
        };
        Options { tls, token_file: Some(self.path("token")), ..anywhere() }
    }

    /// A client that trusts our authority, and shows a certificate if asked to.
    fn agent(&self, shows: bool) -> ureq::Agent {
        let root = Certificate::from_pem(&self.pem("ca.pem")).unwrap();
        let roots = RootCerts::Specific(Arc::new(vec![root]));
        let client = shows.then(|| {
            let chain = Certificate::from_pem(&self.pem("client.pem")).unwrap();
            let key = PrivateKey::from_pem(&self.pem("client.key")).unwrap();
            ClientCert::new_with_certs(&[chain], key)
        });
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .tls_config(TlsConfig::builder().root_certs(roots).client_cert(client).build())
            .build()
            .into()
    }
}

fn page(response: &mut ureq::http::Response<ureq::Body>) -> SessionPage {
    serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn over_tls_a_token_opens_and_a_session_stays_open_until_it_is_ended() {
    let files = Files::new();
    let server = serve(&files.options(), &fed(&Options::default()));
    let agent = files.agent(false);
    let url = |path: &str| format!("https://localhost:{}{path}", server.local_addr().port());
    let status = |request: ureq::RequestBuilder<ureq::typestate::WithoutBody>| {
        request.call().expect("an answer").status().as_u16()
    };
    assert_eq!(status(agent.get(url("/healthz"))), 200);
    assert_eq!(status(agent.get(url("/api/v1/status"))), 401);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(status(agent.get(url("/api/v1/status")).header("authorization", &bearer)), 200);

    let mut nobody = agent.get(url("/api/v1/session")).call().unwrap();
    assert_eq!(page(&mut nobody), SessionPage { role: None, by: None });
    let begin = agent.post(url("/api/v1/session")).header("authorization", &bearer);
    let mut begun = begin.send_empty().unwrap();
    assert_eq!(page(&mut begun), SessionPage { role: Some(Role::Read), by: Some(Proof::Token) });
    let cookie = begun.headers()["set-cookie"].to_str().unwrap().to_owned();
    for wanted in ["HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(cookie.contains(wanted), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN));
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(status(agent.get(url("/api/v1/status")).header("cookie", cookie)), 200);
    assert_eq!(status(agent.delete(url("/api/v1/session")).header("cookie", cookie)), 204);
    assert_eq!(status(agent.get(url("/api/v1/status")).header("cookie", cookie)), 401);
}

#[test]
fn who_speaks_no_tls_or_shows_no_certificate_is_not_answered() {
    let files = Files::new();
    let mut options = files.options();
    options.token_file = None;
    options.tls.client_ca_file = Some(files.path("ca.pem"));
    let server = serve(&options, &fed(&Options::default()));
    let port = server.local_addr().port();
    let url = format!("https://localhost:{port}/api/v1/session");
    assert!(files.agent(false).get(&url).call().is_err(), "no certificate");
    assert!(files.agent(true).get(format!("http://localhost:{port}/healthz")).call().is_err());
    let mut known = files.agent(true).get(&url).call().unwrap();
    assert_eq!(
        page(&mut known),
        SessionPage { role: Some(Role::Read), by: Some(Proof::Certificate) }
    );
}

#[test]
fn a_missing_or_broken_file_is_named_before_anything_is_bound() {
    let files = Files::new();
    let refused = |change: fn(&mut Options, &Path)| {
        let mut options = files.options();
        change(&mut options, files.directory.path());
        let Err(error) = collector::serve(&options, fed(&Options::default())) else {
            panic!("served all the same")
        };
        error.to_string()
    };
    assert!(refused(|o, _| o.tls.key_file = None).contains("belong together"));
    assert!(
        refused(|o, at| o.tls.certificate_file = Some(at.join("token"))).contains("no certificate")
    );
    assert!(refused(|o, at| o.tls.key_file = Some(at.join("client.key"))).contains("server.pem"));
    assert!(refused(|o, at| o.admin_token_file = Some(at.join("none"))).contains("none"));
}

#[test]
fn nothing_is_plain_beyond_this_machine_unless_said() {
    let files = Files::new();
    let listen = Some(Listen::At("0.0.0.0:0".parse().unwrap()));
    let plain = |plain_http| Options {
        tls: ServerTlsOptions::default(),
        listen,
        plain_http,
        ..files.options()
    };
    let error = collector::serve(&plain(false), fed(&Options::default())).unwrap_err();
    assert!(matches!(error, Error::Unencrypted { .. }), "{error}");
    assert!(collector::serve(&plain(true), fed(&Options::default())).is_ok());
}
