//! A symmetric positive definite system of equations, by Cholesky's method.

/// Solves `matrix` x = `right`; `None` for an empty system or one that is not positive definite.
pub(crate) fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    if size == 0 {
        return None;
    }
    for row in 0..size {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let rest = matrix[row][column] - dot;
            if row == column {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                matrix[row][row] = rest.sqrt();
            } else {
                matrix[row][column] = rest / matrix[column][column];
            }
        }
    }
    for row in 0..size {
        let dot: f64 = (0..row).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    for row in (0..size).rev() {
        let dot: f64 = (row + 1..size).map(|k| matrix[k][row] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn the_solution_fulfils_the_equations() {
        let matrix = vec![vec![4.0, 2.0, 0.6], vec![2.0, 5.0, 1.0], vec![0.6, 1.0, 3.0]];
        let right = vec![1.0, -2.0, 3.0];
        let found = solve(matrix.clone(), right.clone()).unwrap();
        for (row, expected) in matrix.iter().zip(right) {
            let sum: f64 = row.iter().zip(&found).map(|(left, right)| left * right).sum();
            assert!((sum - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn what_has_no_solution_gives_none() {
        assert_eq!(solve(vec![vec![1.0, 2.0], vec![2.0, 1.0]], vec![1.0, 1.0]), None);
        assert_eq!(solve(Vec::new(), Vec::new()), None);
    }
}
