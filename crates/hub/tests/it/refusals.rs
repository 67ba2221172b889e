//! Statuses and what the user is told.

use longsight_hub::{HubError, NoProgress, resolve};

use crate::http::{Reply, Request};
use crate::stub::{MODEL, Repo, Stub, first};

fn always(reply: Reply) -> Stub {
    Stub::hub_quirk(Repo::single(), move |_| Some(reply.clone()))
}

/// The error's one line, and the requests that it took.
fn told(stub: &Stub) -> (String, usize) {
    let error = stub.resolve().unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains("  "), "{text:?}");
    assert!(
        text.contains(MODEL) || matches!(error, HubError::Server { .. } | HubError::BadAnswer { .. }),
        "{text}"
    );
    (text, stub.hub.count("GET", ""))
}

#[test]
fn status_401_asks_for_a_token_at_once() {
    let (text, requests) = told(&always(Reply::new(401, "")));
    assert!(text.contains("HF_TOKEN") && text.contains("spelling"), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn status_403_names_the_licence_page() {
    let stub = always(Reply::new(403, ""));
    let (text, requests) = told(&stub);
    assert!(text.contains("licence") && text.contains(&format!("{}/{MODEL}", stub.hub.address)), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn a_gated_model_without_a_token_names_the_licence_too() {
    let (text, _) = told(&always(Reply::new(401, "").with("X-Error-Code", "GatedRepo")));
    assert!(text.contains("licence") && text.contains("HF_TOKEN"), "{text}");
}

#[test]
fn status_404_names_model_and_revision() {
    let (text, requests) = told(&always(Reply::new(404, "")));
    assert!(text.contains("'main'") && text.contains("spelling") && text.contains("HF_TOKEN"), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn weights_of_a_gated_model_are_refused_with_its_page() {
    let stub = Stub::hub_quirk(Repo::single(), |request| {
        (request.method == "HEAD" && request.path.ends_with(".safetensors")).then(|| Reply::new(403, ""))
    });
    assert!(matches!(stub.resolve(), Err(HubError::Forbidden { .. })));
}

#[test]
fn status_500_once_is_tried_again() {
    for status in [429, 500, 503] {
        let fail = first(1);
        let stub = Stub::hub_quirk(Repo::single(), move |_| fail().then(|| Reply::new(status, "")));
        stub.resolve().unwrap();
        assert_eq!(stub.hub.count("GET", "/api/"), 2);
    }
}

#[test]
fn status_500_again_and_again_is_given_up() {
    let (text, requests) = told(&always(Reply::new(500, "")));
    assert!(text.contains("500"), "{text}");
    assert_eq!(requests, 3);
}

#[test]
fn malformed_json_is_said_to_be_so() {
    for body in ["<html>", "{}", "{\"sha\":1}", "", "{\"sha\":\"../../x\",\"siblings\":[]}"] {
        let result = always(Reply::new(200, body)).resolve();
        assert!(matches!(result, Err(HubError::BadAnswer { .. })), "{body}: {result:?}");
    }
    let (text, requests) = told(&always(Reply::new(200, "<html>")));
    assert!(text.contains("HF_ENDPOINT"), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn a_redirect_loop_ends() {
    let (text, requests) = told(&always(Reply::new(302, "").with("Location", "/again")));
    assert!(text.contains("too many redirects"), "{text}");
    assert_eq!(requests, 11);
}

#[test]
fn a_redirect_to_nowhere_is_refused() {
    for location in ["", "file:///etc/passwd", "ftp://h/x", "no scheme"] {
        let result = always(Reply::new(302, "").with("Location", location)).resolve();
        assert!(matches!(result, Err(HubError::BadAnswer { .. })), "{location}: {result:?}");
    }
}

#[test]
fn a_model_without_safetensors_is_refused_before_any_download() {
    let repo = Repo { files: Vec::new() }.file("config.json", "{}").file("pytorch_model.bin", "x");
    let stub = Stub::new(repo);
    let (text, _) = told(&stub);
    assert!(text.contains("safetensors"), "{text}");
    assert_eq!(stub.hub.count("HEAD", ""), 0);
}

#[test]
fn names_that_are_neither_folder_nor_model_are_refused_without_a_request() {
    let stub = Stub::new(Repo::single());
    for bad in [
        "nothing-here",
        "../up/x",
        "a/b/c",
        "/no/such/folder",
        "lab/tiny@",
        "lab/ti ny",
        "",
        "lab/tiny@../../x",
    ] {
        let result = resolve(bad, &stub.settings(), &NoProgress);
        assert!(matches!(result, Err(HubError::NotAModelName { .. })), "{bad:?}: {result:?}");
    }
    assert_eq!(stub.hub.count("GET", ""), 0);
}

#[test]
fn settings_that_cannot_be_used_name_their_variable() {
    let stub = Stub::new(Repo::single());
    let refused = |change: &dyn Fn(&mut longsight_hub::HubSettings)| {
        let mut settings = stub.settings();
        change(&mut settings);
        resolve(MODEL, &settings, &NoProgress).unwrap_err().to_string()
    };
    assert!(refused(&|s| s.endpoint = "huggingface.co".to_owned()).contains("HF_ENDPOINT"));
    assert!(refused(&|s| s.endpoint = "file:///x".to_owned()).contains("HF_ENDPOINT"));
    assert!(refused(&|s| s.token = Some("a\nb".to_owned())).contains("HF_TOKEN"));
    let pem = stub.home.path().join("ca.pem");
    assert!(refused(&|s| s.ca_file = Some(pem.clone())).contains("SSL_CERT_FILE"));
    std::fs::write(&pem, "no certificate").unwrap();
    assert!(refused(&|s| s.ca_file = Some(pem.clone())).contains("SSL_CERT_FILE"));
}

#[test]
fn a_hub_without_a_token_gets_no_authorization_header() {
    let stub = Stub::new(Repo::single());
    let mut settings = stub.settings();
    settings.token = None;
    resolve(MODEL, &settings, &NoProgress).unwrap();
    let asked: Vec<Request> = [stub.hub.seen("GET", ""), stub.hub.seen("HEAD", "")].concat();
    assert!(asked.iter().all(|r| r.header("authorization").is_none()));
}
