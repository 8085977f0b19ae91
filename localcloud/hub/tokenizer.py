"""A byte-level BPE tokenizer of the hub's own, learnt from a page of plain sentences in a fraction of a second."""

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from localcloud.hub.prompt_formats import PromptFormat

VOCABULARY_SIZE = 768
"""Most tokens before the special ones: 256 bytes and what the sentences below yield."""

WORDS = Regex(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")

SENTENCES = """\
What is the name of the capital of France? The name of the capital of France is Paris.
What is the name of the capital of Italy? The name of the capital of Italy is Rome.
What is the name of the capital of Spain? The name of the capital of Spain is Madrid.
The capital of a country is the city where its government sits, and it is often the largest city of the country.
A river runs through the city, and the old town stands on the hill above the river.
In the morning the market opens, and people come from the villages to sell bread, fruit, cheese and flowers.
The train leaves the station at seven and comes to the sea at noon, when the sun stands high over the water.
Can you tell me a short story? Yes, I can tell you a short story about a house by the sea.
There was once a small house near the sea. An old man lived there with his dog, and every day they walked to the sea.
One day the man found a letter in the sand. It was from his brother, who had gone over the sea many years before.
He read the letter two times, and then he sat down and wrote a long answer.
Please explain how a computer works. A computer reads numbers, changes them by simple rules and writes the result down.
A program is a list of such rules. A large program is made of many small programs that work together.
A model reads words and gives the most likely next word, again and again, until the answer is complete.
The server takes a request, gives it to the model, and sends the answer back to the one who asked.
How many days are there in a year? There are three hundred and sixty-five days in a year, and one more in a leap year.
How do I bake bread? Mix flour, water, salt and yeast, let the dough rest for one hour, and bake it for forty minutes.
What should I do when it rains? Take a coat with you, close the windows and read a good book with a cup of tea.
Thank you for your help. You are welcome. Is there anything else that I can do for you today?
I would like to know more about the weather, the mountains, the history of the town and the name of the street.
"""


def make_tokenizer(prompt_format: PromptFormat) -> Tokenizer:
    """A tokenizer with the special tokens of `prompt_format` after all others, as in Llama 3; the same on every run."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES.splitlines(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in prompt_format.special_tokens])
    if prompt_format.begin_is_added:
        tokenizer.post_processor = _begin_in_front(prompt_format.begin, token_id(tokenizer, prompt_format.begin))
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that is known to be in the vocabulary."""
    found = tokenizer.token_to_id(token)
    assert found is not None, token
    return found


def _begin_in_front(begin: str, begin_id: int) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1", special_tokens=[(begin, begin_id)]
    )
