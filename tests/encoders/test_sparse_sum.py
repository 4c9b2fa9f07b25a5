import torch

from diptych.encoders.sparse_sum import SparseBatch, sparse_sum


def batch() -> tuple[SparseBatch, torch.Tensor]:
    dense = torch.tensor([[0.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.5]])
    columns = torch.arange(4).expand(3, 4)
    return SparseBatch.from_padded(columns, dense), dense


def test_the_sum_is_the_matrix_product_of_the_dense_rows():
    sparse, dense = batch()
    table = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    torch.testing.assert_close(sparse_sum(sparse, table), dense @ table)
    with torch.no_grad():
        torch.testing.assert_close(sparse_sum(sparse, table), dense @ table)


def test_the_gradient_is_that_of_the_matrix_product():
    sparse, dense = batch()
    table = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(2))
    (ours,) = torch.autograd.grad((sparse_sum(sparse, table) * weight).sum(), table)
    (theirs,) = torch.autograd.grad(((dense @ table) * weight).sum(), table)
    torch.testing.assert_close(ours, theirs)


def test_repeated_columns_add_up():
    sparse = SparseBatch(columns=torch.tensor([1, 1]), offsets=torch.tensor([0]), values=torch.tensor([1.0, 2.0]))
    table = torch.tensor([[0.0], [10.0]], requires_grad=True)
    result = sparse_sum(sparse, table)
    assert result.item() == 30.0
    result.sum().backward()
    assert table.grad.ravel().tolist() == [0.0, 3.0]
