//! The consumer's page: what the README says about verifying a delivery is run as it stands there.

use super::{
    oracles::{Delivered, ask, deliveries, tampered},
    root,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

/// The README's Rust.
#[expect(unreachable_pub, reason = "it is what a reader of the README puts into a module of their own")]
mod rust {
    include!("verify.rs");
}

/// The code block of a language in the section.
fn block(language: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section =
        readme.split("\n## Verifying a delivery\n").nth(1).expect("the section").split("\n## ").next().unwrap();
    let begin = format!("```{language}\n");
    let code = section.split(begin.as_str()).nth(1).unwrap_or_else(|| panic!("{language}"));
    code.split("```").next().unwrap().to_owned()
}

/// Whether this machine has the language; says loudly what is not tested without it.
fn has(program: &str, probe: &[&str]) -> bool {
    let has = Command::new(program).args(probe).output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("SKIPPED, not tested here for want of {program}: the page's code in its language");
    }
    has
}

/// Every delivery is accepted, and whatever was done to it is not.
fn judge(said: impl Fn(&[Value]) -> Vec<bool>, deliveries: &[Delivered]) {
    let told: Vec<Value> = deliveries.iter().map(Delivered::told).collect();
    assert!(said(&told).iter().all(|accepted| *accepted));
    let (what, bad): (Vec<_>, Vec<_>) = tampered(&told[0]).into_iter().unzip();
    for (what, accepted) in what.iter().zip(said(&bad)) {
        assert!(!accepted, "{what}");
    }
}

/// Runs a file made of the page's code and a few lines that feed it.
fn run(program: &str, arguments: &[&Path], told: &[Value]) -> Vec<bool> {
    let encoded = |one: &Value| {
        let mut one = one.clone();
        one["body"] = BASE64_STANDARD.encode(one["body"].as_str().unwrap()).into();
        one
    };
    let told: Vec<Value> = told.iter().map(encoded).collect();
    let said = ask(Path::new(program), arguments, &told);
    said.iter().map(|one| one.as_bool().unwrap()).collect()
}

#[tokio::test]
async fn the_pages_rust_verifies() {
    assert_eq!(block("rust"), include_str!("verify.rs"), "the README and tests/it/engines/verify.rs are one text");
    let said = |told: &Value| {
        let header = |name: &str| told["headers"][name].as_str().unwrap();
        let now = jiff::Timestamp::now().as_second();
        let headers = [header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")];
        rust::verified(told["secret"].as_str().unwrap(), headers, told["body"].as_str().unwrap().as_bytes(), now)
    };
    judge(|told| told.iter().map(said).collect(), &deliveries().await);
}

#[tokio::test]
async fn the_pages_python_verifies() {
    if !has("python3", &["-c", "import hmac"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.py");
    let feed = r#"
import json, sys
told = json.load(sys.stdin)
print(json.dumps([bool(verified(one["secret"], one["headers"], base64.b64decode(one["body"]))) for one in told]))
"#;
    fs::write(&file, block("python") + feed).unwrap();
    judge(|told| run("python3", &[&file], told), &deliveries().await);
}

#[tokio::test]
async fn the_pages_node_verifies() {
    if !has("node", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.mjs");
    let feed = r#"
import { readFileSync } from "node:fs";
const told = JSON.parse(readFileSync(0, "utf8"));
const said = told.map(({ secret, headers, body }) => verified(secret, headers, Buffer.from(body, "base64")));
process.stdout.write(JSON.stringify(said));
"#;
    fs::write(&file, block("js") + feed).unwrap();
    judge(|told| run("node", &[&file], told), &deliveries().await);
}

#[tokio::test]
async fn the_pages_go_verifies() {
    if !has("go", &["version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [page, feed, binary] = ["page.go", "feed.go", "verify"].map(|name| folder.path().join(name));
    fs::write(&page, format!("package main\n\n{}", block("go"))).unwrap();
    let text = r#"package main

import (
	"encoding/json"
	"net/http"
	"os"
)

func main() {
	var told []struct {
		Secret  string
		Headers map[string]string
		Body    []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&told); err != nil {
		panic(err)
	}
	said := []bool{}
	for _, one := range told {
		headers := http.Header{}
		for name, value := range one.Headers {
			headers.Set(name, value)
		}
		said = append(said, verified(one.Secret, headers, one.Body))
	}
	json.NewEncoder(os.Stdout).Encode(said)
}
"#;
    fs::write(&feed, text).unwrap();
    let mut build = Command::new("go");
    build.args(["build", "-o"]).args([&binary, &page, &feed]).env("GO111MODULE", "off").env("GOFLAGS", "");
    let output = build.env("GOCACHE", root().join("target/go-cache")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    judge(|told| run(binary.to_str().unwrap(), &[], told), &deliveries().await);
}
