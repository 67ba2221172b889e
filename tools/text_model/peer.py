"""llama.cpp through llama-cpp-python: token ids, logits, and the template of the same GGUF file."""

import numpy as np
from llama_cpp import Llama
from llama_cpp.llama_chat_format import Jinja2ChatFormatter


class Peer:
    def __init__(self, path, context, threads):
        self.llama = Llama(
            model_path=str(path), n_ctx=context, n_batch=512, n_threads=threads, n_threads_batch=threads,
            logits_all=True, verbose=False,
        )

    def ids(self, text):
        return self.llama.tokenize(text.encode(), add_bos=False, special=True)

    def prompt(self, question):
        """The question as the file's own chat template writes it."""
        token = lambda key: self.llama.detokenize(
            [int(self.llama.metadata[f"tokenizer.ggml.{key}_token_id"])], special=True).decode()
        formatter = Jinja2ChatFormatter(
            template=self.llama.metadata["tokenizer.chat_template"],
            bos_token=token("bos"), eos_token=token("eos"),
        )
        return formatter(messages=[{"role": "user", "content": question}]).prompt

    def logits(self, ids):
        """[len(ids), vocabulary], each row the logits after its token."""
        self.llama.reset()
        self.llama.eval(ids)
        return np.array(self.llama.scores[: len(ids)], dtype=np.float64)

    def greedy(self, prompt, count):
        """`count` tokens, end tokens included."""
        self.llama.reset()
        self.llama.eval(prompt)
        answer = []
        while True:
            answer.append(int(np.argmax(self.llama.scores[self.llama.n_tokens - 1])))
            if len(answer) == count:
                return answer
            self.llama.eval(answer[-1:])

    def mean_nll(self, ids, window):
        """As llama.cpp's `perplexity`: windows without overlap; of each the second half counts, but for its first token."""
        found = []
        for start in range(0, len(ids) - window + 1, window):
            part = ids[start:start + window]
            for at in range(window // 2, window - 1):
                if at == window // 2:
                    logits = self.logits(part)
                row = logits[at]
                found.append(np.log(np.exp(row - row.max()).sum()) + row.max() - row[part[at + 1]])
        return float(np.mean(found)), len(found)
