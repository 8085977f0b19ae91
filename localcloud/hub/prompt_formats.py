"""How a conversation is written down for a model: its special tokens and its chat template."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PromptFormat:
    """Special tokens in the order of their ids, and what they are for."""

    special_tokens: tuple[str, ...]
    begin: str
    end: str
    """Ends a turn, and is what `tokenizer_config.json` calls `eos_token`."""
    stop: tuple[str, ...]
    """Every token that ends generation."""
    pad: str
    begin_is_added: bool
    """Whether the tokenizer itself puts `begin` in front of a text."""
    chat_template: str
    """Jinja, as `apply_chat_template` of transformers renders it."""


LLAMA_3 = PromptFormat(
    special_tokens=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|finetune_right_pad_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "<|python_tag|>",
    ),
    begin="<|begin_of_text|>",
    end="<|eot_id|>",
    stop=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
    pad="<|finetune_right_pad_id|>",
    begin_is_added=True,
    chat_template=(
        "{{- bos_token }}\n"
        "{%- for message in messages %}\n"
        "    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}\n"
        "    {{- message['content'] | trim + '<|eot_id|>' }}\n"
        "{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n"
        "    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n"
        "{%- endif %}\n"
    ),
)

CHATML = PromptFormat(
    special_tokens=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    begin="<|im_start|>",
    end="<|im_end|>",
    stop=("<|im_end|>",),
    pad="<|im_end|>",
    begin_is_added=False,
    chat_template=(
        "{%- for message in messages %}\n"
        "    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\n"
        "{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n"
        "    {{- '<|im_start|>assistant\\n' }}\n"
        "{%- endif %}\n"
    ),
)
