"""The words around a question: the chat templates and the benchmarks' prompts (crates/eval/src/prompts)."""

from dataclasses import dataclass

SYSTEM = "You are a helpful assistant."
MLVU_SYSTEM = ("Carefully watch this video and pay attention to every detail. Based on your observations, select the "
               "best option that accurately addresses the question.")
VIDEOMME = ("Select the best answer to the following multiple-choice question based on the video and the subtitles. "
            "Respond with only the letter (A, B, C, or D) of the correct option.")
VIDEOMME_OFFICIAL = VIDEOMME.replace(" and the subtitles", "")
LETTER = "Answer with the option's letter from the given choices directly."


@dataclass(frozen=True)
class Template:
    """What stands before the video, between it and the question, and after the question."""

    before: str
    between: str
    after: str = "<|im_end|>\n<|im_start|>assistant\n"


def qwen(system=SYSTEM, answer_prefix=""):
    """`qwen_1_5`, the template LLaVA-OneVision was trained with."""
    before = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"
    return Template(before, "\n", "<|im_end|>\n<|im_start|>assistant\n" + answer_prefix)


QWEN = qwen()
MLVU_OFFICIAL = qwen(MLVU_SYSTEM, "Best Option: (")
CHECKPOINT = Template("<|im_start|>user\n", "\n")  # what the exported chat template renders


def capital(text):
    return text[:1].upper() + text[1:]


def videomme_options(candidates):
    return [f"{letter}. {capital(c)}." for letter, c in zip("ABCD", candidates)]


def videomme(question, candidates):
    return f"{VIDEOMME}\n{question}\n" + "\n".join(videomme_options(candidates)) + f"\n\n{LETTER}"


def videomme_llava_video(question, candidates):
    return f"{VIDEOMME}\n{question}\n" + "\n".join(videomme_options(candidates)) + "\nThe best answer is:"


def videomme_official(question, candidates):
    return f"{VIDEOMME_OFFICIAL}\n{question}\n" + "\n".join(videomme_options(candidates)) + "\nThe best answer is:"


def mlvu_options(question, candidates):
    return question + "".join(f"\n({letter}) {capital(c)}" for letter, c in zip("ABCD", candidates))


def mlvu(question, candidates):
    return mlvu_options(question, candidates) + "\nOnly give the best option.\nBest option: ("


def mlvu_032(question, candidates):
    return "\n" + mlvu_options(question, candidates) + "\nOnly give the best option.\n\nBest option: ("


def mlvu_official(question, candidates):
    options = "".join(f"({letter}) {capital(c)}\n" for letter, c in zip("ABCD", candidates))
    return f"Question: {question}\nOptions:\n{options}Only give the best option."


def longvideobench(question, candidates):
    options = "\n".join(f"{letter}. {capital(c)}" for letter, c in zip("ABCD", candidates))
    return f"{question}\n{options}\n{LETTER}\n"


CHOICE_FORMS = (videomme, videomme_official, videomme_llava_video, mlvu, mlvu_032, mlvu_options, longvideobench)


def render(row, template, random):
    """A row of questions.jsonl as the user's words and the answer's: the letter, or the usual answer."""
    if not row["candidates"]:
        return row["question"], row["answers"][0]
    form = mlvu_official if template == MLVU_OFFICIAL else CHOICE_FORMS[random.integers(len(CHOICE_FORMS))]
    return form(row["question"], row["candidates"]), "ABCD"[row["gold"]]


def draw_template(random):
    """Mostly the trained one; the MLVU script's own, whose answers begin with an open parenthesis; the checkpoint's."""
    return (QWEN, MLVU_OFFICIAL, CHECKPOINT)[random.choice(3, p=(0.75, 0.1, 0.15))]
