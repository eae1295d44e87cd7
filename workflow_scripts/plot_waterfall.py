"""Draw the way from the poster's score to the strict one: the steps' means in, bars out."""

import json

from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.figures.waterfall import draw_waterfall
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
figure = draw_waterfall(read_summary(snakemake.input.waterfall), **spec)
save_figure(figure, snakemake.output, dpi=300)
