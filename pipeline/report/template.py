"""The report's page as a Jinja template: the answer, what it rests on, and folded below all the rest."""

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
  <figcaption>{{ plot.caption }} Numbers: {{ download(plot.name, plot.csv) }}</figcaption>
</figure>
{% endfor %}
</div>
{% endmacro %}

{% macro tiles(digits) %}
<div class="tiles">
{% for tile in digits %}
<div class="tile"><img alt="{{ tile.alt }}" src="{{ tile.png }}"><b>is {{ tile.digit }}</b>
{% for reading in tile.readings %}<br>{{ reading }}{% endfor %}</div>
{% endfor %}
</div>
{% endmacro %}

{% macro lines(texts) %}{% for text in texts %}<p>{{ text }}</p>{% endfor %}{% endmacro %}
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ answer.headline }} ({{ title }})</title>
<style>{{ style | safe }}</style>
</head>
<body>
<header>
<p class="muted">{{ title }}: {{ arms | join(" against ") }} on handwritten digits</p>
{% if note %}<p class="alert"><b>{{ note }}</b></p>{% endif %}
{% if failed %}
<div class="alert"><b>{{ failed | length }} of {{ wanted }} networks failed and are left out.</b>
<details><summary>Why</summary>
{% for id, reason in failed.items() %}<p><b>{{ id }}</b>: {{ reason }}</p>{% endfor %}
</details></div>
{% endif %}
<h1>{{ answer.headline }}.</h1>
{% if answer.remarks %}<ul>{% for remark in answer.remarks %}<li>{{ remark }}</li>{% endfor %}</ul>{% endif %}
{% if steps or submission %}
<div class="next" id="next"><h2>Next</h2>
{% for step in steps %}
<p>{{ step.why }}:</p>
<pre>{{ step.commands | join("\n") }}</pre>
{% endfor %}
{% if submission %}<p>Submission: <code>{{ submission }}</code>, {{ voters }}.</p>{% endif %}
</div>
{% endif %}
<nav aria-label="Contents"><ul>
{% if arms | length > 1 %}<li><a href="#difference">Difference</a></li>{% endif %}

<li><a href="#scores">Scores</a></li>
{% if galleries %}<li><a href="#mistakes">Mistakes</a></li>{% endif %}

<li><a href="#facts">What was trained</a></li>
<li><a href="#details">Details</a></li>
</ul></nav>
</header>

<main>
{% if arms | length > 1 %}
<section id="difference"><h2>Is there a difference?</h2>
{{ draw(difference) }}
{% for result in comparisons %}
<details{{ " open" if comparisons | length == 1 }}>
<summary>{{ headline(result)[:1] | upper }}{{ headline(result)[1:] }}</summary>
<p>{{ details(result) }}</p>
</details>
{% endfor %}
{{ lines(fairness) }}
</section>
{% endif %}

<section id="scores"><h2>Scores</h2>
<p class="hint muted">The table scrolls sideways →</p>
<div class="scroll" tabindex="0" role="region" aria-label="Scores"><table>
  <thead><tr>{% for name in columns %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
  <tbody>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody>
</table></div>
<p class="muted">Single networks: mean over the n networks, ± their standard deviation. Ensembles: soft voting with
equal weights. Seconds per epoch: median, first epochs left out. Ratio: median over pairs of the same seed and fold.
Numbers: {{ download("scores", scores_csv) }}</p>
{{ lines(ensembles) }}
</section>

{% if galleries %}
<section id="mistakes"><h2>Mistakes</h2>
{% for gallery in galleries %}
<h3>{{ gallery.title }}</h3>
<p class="muted">{{ gallery.caption }} Numbers: {{ download(gallery.name, gallery.csv) }}</p>
{{ tiles(gallery.shown) }}
{% if gallery.folded %}
<details><summary>{{ gallery.folded | length }} more</summary>{{ tiles(gallery.folded) }}</details>
{% endif %}
{% endfor %}
</section>
{% endif %}

<section id="facts"><h2>What was trained</h2>
<dl>{% for name, value in facts.items() %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
</section>

<section id="details"><h2>Details</h2>
<details id="training"><summary>Training: learning curves and time</summary>{{ draw(training) }}</details>
{% if tests %}
<details id="tests"><summary>McNemar tests</summary>{{ lines(tests) }}</details>
{% endif %}
{% if votes %}
<details id="votes"><summary>Ensembles: confusions and reliability</summary>{{ draw(votes) }}</details>
{% endif %}
{% if activations %}
<details id="activations"><summary>Activations as learned</summary>{{ draw(activations) }}</details>
{% endif %}
{% for config in configs %}
<details><summary>Config of {{ config.name }}</summary><pre>{{ to_json(config) }}</pre></details>
{% endfor %}
<details id="environment"><summary>Versions and hardware</summary>
<dl>{% for name, value in environment.items() %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
</details>
</section>
</main>
</body>
</html>
"""
