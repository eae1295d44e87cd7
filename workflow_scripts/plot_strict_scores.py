"""Draw strict average precision: the summary in, bars and the chance level out."""

import json

from clip_grounding.figures.bars import draw_scores
from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
figure = draw_scores(read_summary(snakemake.input.summary), **spec, protocol="strict")
save_figure(figure, snakemake.output, dpi=300)
