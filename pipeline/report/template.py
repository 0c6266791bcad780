"""The report's page as a Jinja template: the entry, how good it is, what it misreads, then which activation."""

TEMPLATE = """\
<!doctype html>
<html lang="en">
{% macro download(name, csv) -%}
<a download="{{ name }}.csv" href="{{ data_uri('text/csv', csv) | safe }}">{{ name }}.csv</a>
{%- endmacro %}

{% macro draw(plots) %}
<div class="plots">
{% for plot in plots %}
<figure>
  <h3>{{ plot.title }}</h3>
  <img alt="{{ plot.alt }}" src="{{ data_uri('image/svg+xml', svg_text(plot.figure)) | safe }}">
  <figcaption>{{ plot.caption }}</figcaption>
</figure>
{% endfor %}
</div>
{% endmacro %}

{% macro tiles(digits) %}
<div class="tiles">
{% for tile in digits %}
<div class="tile"><img alt="{{ tile.alt }}" src="{{ tile.png }}"><b>{{ tile.head }}</b>
{% for line in tile.lines %}<br>{{ line }}{% endfor %}</div>
{% endfor %}
</div>
{% endmacro %}

{% macro hang(galleries) %}
{% for gallery in galleries %}
<h3>{{ gallery.title }}</h3>
<p class="muted">{{ gallery.caption }} Numbers: {{ download(gallery.name, gallery.csv) }}</p>
{{ tiles(gallery.tiles[:24]) }}
{% if gallery.tiles | length > 24 %}
<details><summary>{{ gallery.tiles[24:] | length }} more</summary>{{ tiles(gallery.tiles[24:]) }}</details>
{% endif %}
{% endfor %}
{% endmacro %}

{% macro plain_table(heads, lines) %}
<table>
  <thead><tr>{% for head in heads %}<th scope="col">{{ head }}</th>{% endfor %}</tr></thead>
  <tbody>{% for line in lines %}<tr>{% for cell in line %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody>
</table>
{% endmacro %}

{% macro table(label, heads, lines) %}
<p class="hint muted">The table scrolls sideways →</p>
<div class="scroll" tabindex="0" role="region" aria-label="{{ label }}">{{ plain_table(heads, lines) }}</div>
{% endmacro %}

{% macro lines(texts) %}
{% for text in texts %}<p>{{ text[:1] | upper }}{{ text[1:] }}</p>{% endfor %}
{% endmacro %}

{% macro comparison() %}
{% if arms | length > 1 %}
<section id="difference"><h2>{{ joined(arms, "or") }}?</h2>
{% if findings.folder %}
<p><b>{{ findings.answer.headline }}.</b></p>
{{ lines(findings.answer.remarks) }}
{% endif %}
{{ draw(difference) }}
{{ lines(comparison_lines) }}
</section>
{% endif %}
{% endmacro %}
{% set heading = summary.title if findings.folder else findings.answer.headline %}
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ heading }} ({{ name }})</title>
<style>{{ style | safe }}</style>
</head>
<body>
<header>
<p class="muted">{{ name }}: {{ joined(arms) }} on handwritten digits</p>
{% for warning in summary.warnings %}<p class="alert"><b>{{ warning }}</b></p>{% endfor %}
<h1>{{ heading }}.</h1>
{% if findings.folder %}
<p>{{ summary.made }}{% if summary.interval %} Other digits may differ ({{ summary.interval }}).{% endif %}</p>
{{ lines(summary.remarks) }}
{% else %}
{{ lines(findings.answer.remarks) }}
{% endif %}
{% if findings.folder %}
<div class="next" id="next">
<p>Submission: <code>{{ findings.folder.submission.as_posix() }}</code>, {{ summary.submission }}.</p>
{% for step in summary.steps %}
<h2>Next, {{ step.why }}</h2>
{% for command, remark in step.commands %}
<pre>{{ command }}</pre>{% if remark %}<p class="muted">{{ remark }}</p>{% endif %}

{% endfor %}
{% endfor %}
</div>
{% endif %}
<nav aria-label="Contents"><ul>
{% if arms | length > 1 and not findings.folder %}<li><a href="#difference">Difference</a></li>{% endif %}

<li><a href="#scores">Scores</a></li>
{% if digits %}<li><a href="#mistakes">Mistakes</a></li>{% endif %}

{% if predictions %}<li><a href="#unlabelled">Images to predict</a></li>{% endif %}

<li><a href="#training">Training</a></li>
{% if arms | length > 1 and findings.folder %}<li><a href="#difference">{{ joined(arms, "or") }}?</a></li>{% endif %}

<li><a href="#facts">What was trained</a></li>
<li><a href="#details">Details</a></li>
</ul></nav>
</header>

<main>
{{ "" if findings.folder else comparison() }}
<section id="scores"><h2>Scores</h2>
{{ table("Scores", heads, rows) }}
<p class="muted">One network: the mean of so many networks, each by itself, with the range from the best to the worst.
A vote is the mean of the probabilities of its networks. Seconds per epoch: median, but for first epochs where there are
others.</p>
</section>

{% if digits %}
<section id="mistakes"><h2>Mistakes</h2>
{{ hang(mistakes) }}
<div class="plots">
<div><h3>Digit by digit</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Digit by digit">
{{ plain_table(["digit", "right", "wrong", "recall", "precision"], digits) }}</div>
<p class="muted">Recall: of the images of the digit, how many are read right. Precision: of the images read as it, how
many are it.</p></div>
{{ draw(confused) }}
</div>
</section>
{% endif %}

{% if predictions %}
<section id="unlabelled"><h2>The images to predict</h2>
{{ draw(predictions) }}
{{ hang(unlabelled) }}
</section>
{% endif %}

<section id="training"><h2>Training</h2>
<div class="plots">
{{ draw(training) }}
{% for picture in distorted %}
<figure><h3>What the networks see</h3>
<img class="pixels" alt="{{ picture.alt }}" src="{{ picture.png }}">
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
</div>
</section>

{{ comparison() if findings.folder else "" }}
<section id="facts"><h2>What was trained</h2>
<dl>{% for name, value in facts.items() %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
<p class="muted">Scores, differences and learning curves in numbers: comparison.json and metrics.csv, beside this
page.</p>
</section>

<section id="details"><h2>Details</h2>
{% for config in findings.configs %}
<details><summary>Config of {{ config.name }}</summary><pre>{{ to_json(config) }}</pre></details>
{% endfor %}
<details><summary>Versions and hardware</summary>
<dl>{% for name, value in environment.items() %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
</details>
</section>
</main>
</body>
</html>
"""
