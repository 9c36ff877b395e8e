# The main job in a container, without torch:
#   docker build -t bisparse .
#   docker run --rm -v "$PWD/runs:/runs" bisparse compare resnet18-tinyimagenet --recipes dense,bdwp --sparsity 2:8 --out /runs/first
FROM python:3.12-slim
COPY . /source
RUN pip install --no-cache-dir -c /source/constraints.txt /source && rm -r /source
WORKDIR /runs
ENTRYPOINT ["bisparse"]
CMD ["compare", "resnet18-tinyimagenet", "--recipes", "dense,bdwp", "--sparsity", "2:8", "--out", "/runs/first"]
