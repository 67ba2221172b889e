#!/usr/bin/env bash
# openai 3.57.0: a message that is appended as it was answered goes back with its nulls, and dumped with nulls of fields that
# no server ever sent.
#
# Expected: messages.append(response.choices[0].message), the usual way to go on with a conversation, sends what the answer
#           says: role and content.
# Seen:     the message goes back with every field that the server sent, nulls included ("refusal": null). Appended as
#           message.model_dump() it also has nulls of the client's own fields that the server did not send
#           (annotations, audio, function_call, tool_calls).
# Matters:  a server that refuses fields that it does not know refuses the second question of every conversation, though
#           it was told nothing but what it said itself. A null must be read as nothing.
#
#   bash findings/openai-nulls-sent-back.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
set -euo pipefail

# make_venv: sets `python` to the interpreter of a new virtual environment, which goes away when the script ends.
make_venv() {
  if [[ -n ${FINDINGS_VENV:-} ]]; then
    python=$FINDINGS_VENV/bin/python
    return
  fi
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  "${PYTHON:-python3}" -m venv "$folder"
  python=$folder/bin/python
  "$python" -m pip install --quiet openai==3.57.0
}

make_venv
"$python" - <<'EOF'
import http.server
import json
import threading

import openai

ANSWER = {"role": "assistant", "content": "A cat.", "refusal": None}
heard = []


class Stub(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        choice = {"index": 0, "message": ANSWER, "finish_reason": "stop", "logprobs": None}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "stub", "choices": [choice]}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)
first = {"role": "user", "content": "What?"}
message = client.chat.completions.create(model="stub", messages=[first]).choices[0].message
for answer in (message, message.model_dump()):
    client.chat.completions.create(model="stub", messages=[first, answer, {"role": "user", "content": "And then?"}])
appended, dumped = heard[1]["messages"][1], heard[2]["messages"][1]
print("openai", openai.__version__)
print("appended:", appended)
print("dumped:  ", dumped)
assert appended == ANSWER, "what is appended goes back otherwise now"
added = {name for name, value in dumped.items() if name not in ANSWER and value is None}
assert {"annotations", "audio", "function_call", "tool_calls"} <= added, "a dump adds other nulls now"
EOF
